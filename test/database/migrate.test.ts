import { sql } from 'kysely'
import { expect, it } from 'vitest'
import { migrate, pendingMigrations } from '../../src/database/migrate.ts'
import { migrations } from '../../src/database/migrations/index.ts'
import { forEachDatabase } from '../../src/testing/databases.ts'

const names = migrations.map(({ name }) => name)

forEachDatabase((dialect, create) => {
  it(`${dialect}: applies every migration once, in order`, async () => {
    await using test = await create({ migrated: false })
    expect(await pendingMigrations(test.database)).toEqual(names)
    expect(await migrate(test.database)).toEqual({ applied: names })
    expect(await migrate(test.database)).toEqual({ applied: [] })
    expect(await pendingMigrations(test.database)).toEqual([])
  })

  it(`${dialect}: replicas that start at once migrate once`, async () => {
    await using test = await create({ migrated: false })
    const replicas = await Promise.all(Array.from({ length: 6 }, () => test.another()))
    const results = await Promise.all(replicas.map(migrate))
    expect(results.flatMap(({ applied }) => applied)).toEqual(names)
  })

  it(`${dialect}: a database of a newer version is refused`, async () => {
    await using test = await create()
    await test.database.transaction((tx) =>
      sql`INSERT INTO migrations (name, applied_at) VALUES ('9999-later', 0)`.execute(tx),
    )
    await expect(migrate(test.database)).rejects.toThrow('9999-later')
    await expect(pendingMigrations(test.database)).rejects.toThrow('newer')
  })
})
