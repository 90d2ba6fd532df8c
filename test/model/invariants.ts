import { expect } from 'vitest'
import { stages } from '../../src/purge/purger.ts'
import type { Model, TableModel } from './model.ts'
import { origin, type Real, type RealTable, secret } from './real.ts'

/** Compares the whole ledger with the model, and checks what must hold whatever happens: the numbers are those of SPEC §2. */
export async function checkAll(model: Model, real: Real): Promise<void> {
  for (const [at, table] of model.tables.entries()) {
    await checkHolders(model, real, at)
    checkFiles(real, real.tables[at]!, table)
    if (table.purge && !table.pruned) await checkRow(real, real.tables[at]!, table)
  }
  expect(await real.certificates(), 'certificates').toBe(model.certificates)
}

/** 1 and 7: a table lives, or has a purge, never both, never neither; places are held until the purge is over. */
async function checkHolders(model: Model, real: Real, at: number): Promise<void> {
  const table = model.tables[at]!
  const { purge: id, name } = real.tables[at]!
  const exists = await real.catalog.tableExists({ namespace: ['ns'], name })
  expect(exists, `${name} lives`).toBe(table.purge === undefined)
  const places = await real.places(at)
  const entries = table.twins + (table.purge === undefined ? 1 : 0)
  expect(places.entries, `places of entries at ${name}`).toBe(entries)
  expect(places.purges, `places of purges at ${name}`).toEqual(model.isUnfinished(table) ? [id] : [])
}

/** 2 to 5: by the files that are there. */
function checkFiles({ store }: Real, { name, written }: RealTable, { purge }: TableModel): void {
  const left = (paths: readonly string[]) => paths.filter((path) => store.files.has(path))
  const all = Object.values(written.files).flat()
  if (!purge?.begun) expect(left(all), `files of ${name}, which no purge may have touched`).toEqual(all)
  if (purge?.state === 'succeeded') expect(left(all), `files of ${name}, which is erased`).toEqual([])
  let parentsStay = false
  for (const stage of stages) {
    const paths = written.files[stage] ?? []
    const there = left(paths)
    if (parentsStay) expect(there, `${stage} of ${name}, parents of what is left`).toEqual(paths)
    parentsStay ||= there.length > 0
  }
}

/** 6, 9 and 10: the row is the model's, says who asked, and holds no secret. */
async function checkRow(real: Real, { purge: id }: RealTable, { purge }: TableModel): Promise<void> {
  const row = await real.row(id!)
  expect({
    state: row.state,
    epoch: row.lease_epoch,
    attempts: row.attempts,
    fruitless: row.fruitless,
    throttled: row.throttled,
    begun: row.begun_at !== null,
    reference: row.reference !== null,
    heldBy: row.held_by ?? undefined,
    heldFrom: row.held_from ?? undefined,
  }).toEqual({
    state: purge!.state,
    epoch: purge!.epoch,
    attempts: purge!.attempts,
    fruitless: purge!.fruitless,
    throttled: purge!.throttled,
    begun: purge!.begun,
    reference: purge!.reference,
    heldBy: purge!.heldBy,
    heldFrom: purge!.heldFrom,
  })
  if (['pending', 'retained', 'handed_off'].includes(row.state))
    expect(row.next_attempt_at).toBe(purge!.nextAttemptAt)
  expect([row.principal, row.request_id, row.client]).toEqual([
    origin.principal,
    origin.requestId,
    origin.client,
  ])
  expect(JSON.stringify(row)).not.toContain(secret)
  // Only who works has a lease.
  expect(row.lease_owner !== null).toBe(row.state === 'running')
  expect(row.lease_expires_at !== null).toBe(row.state === 'running')
  expect(row.finished_at !== null).toBe(['succeeded', 'failed', 'cancelled'].includes(row.state))
}
