import { expect } from 'vitest'
import type { Model } from './model.ts'
import type { Real } from './real.ts'

/** Compares the whole ledger with the model, and checks what must hold whatever happens. */
export async function checkAll(model: Model, real: Real): Promise<void> {
  for (const [at, table] of model.tables.entries()) {
    const { purge: id, name } = real.tables[at]!
    const exists = await real.catalog.tableExists({ namespace: ['ns'], name })
    // A table lives, or has a purge: never both, never neither.
    expect(exists, `${name} lives`).toBe(table.purge === undefined)
    const places = await real.places(at)
    const entries = table.twins + (table.purge === undefined ? 1 : 0)
    expect(places.entries, `places of entries at ${name}`).toBe(entries)
    expect(places.purges, `places of purges at ${name}`).toEqual(model.isUnfinished(table) ? [id] : [])
    if (!table.purge || table.pruned) continue
    const row = await real.database.reader
      .selectFrom('purges')
      .selectAll()
      .where('id', '=', id!)
      .executeTakeFirstOrThrow()
    expect({
      state: row.state,
      epoch: row.lease_epoch,
      attempts: row.attempts,
      fruitless: row.fruitless,
      begun: row.begun_at !== null,
      heldBy: row.held_by ?? undefined,
      heldFrom: row.held_from ?? undefined,
    }).toEqual({
      state: table.purge.state,
      epoch: table.purge.epoch,
      attempts: table.purge.attempts,
      fruitless: table.purge.fruitless,
      begun: table.purge.begun,
      heldBy: table.purge.heldBy,
      heldFrom: table.purge.heldFrom,
    })
    // Only who works has a lease.
    expect(row.lease_owner !== null).toBe(row.state === 'running')
    expect(row.lease_expires_at !== null).toBe(row.state === 'running')
    expect(row.finished_at !== null).toBe(['succeeded', 'failed', 'cancelled'].includes(row.state))
  }
  expect(await real.certificates(), 'certificates').toBe(model.certificates)
}
