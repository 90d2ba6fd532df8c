import { existsSync } from 'node:fs'
import { migrate, pendingMigrations } from '../database/migrate.ts'
import { migrations } from '../database/migrations/index.ts'
import { describeDatabase, openDatabase } from '../database/open.ts'
import { sqliteFile } from './database-file.ts'
import { explainingDatabase } from './database-trouble.ts'
import { type ConfigOptions, configOf } from './options.ts'
import { plural, styleFor } from './style.ts'

/** `moulin migrate` */
export async function migrateDatabase(options: ConfigOptions & { readonly check?: boolean }): Promise<void> {
  const config = await configOf(options)
  await explainingDatabase(config, () => bringUpToDate(config.database.url, options))
}

async function bringUpToDate(url: string, options: { readonly check?: boolean }): Promise<void> {
  const style = styleFor(process.stdout)
  const name = describeDatabase(url)
  const say = (names: readonly string[], done: string) => {
    if (names.length === 0) console.log(`${style.green('✓')} ${name} is up to date.`)
    else console.log([`${name}: ${plural(names.length, 'migration')} ${done}`, ...names].join('\n  '))
  }

  const file = sqliteFile(url)
  if (options.check && file !== undefined && !existsSync(file)) {
    // Opening would create it.
    say(
      migrations.map(({ name }) => name),
      'to apply to a new database',
    )
    process.exitCode = 1
    return
  }
  const database = await openDatabase(url, { poolSize: 1 })
  try {
    if (options.check) {
      const pending = await pendingMigrations(database)
      say(pending, 'to apply')
      if (pending.length > 0) process.exitCode = 1
    } else {
      say((await migrate(database)).applied, 'applied')
    }
  } finally {
    await database.close()
  }
}
