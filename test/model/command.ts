import fc from 'fast-check'
import { expect } from 'vitest'
import type { Lease } from '../../src/purge/ledger/claims.ts'
import { LeaseLostError } from '../../src/purge/ledger/leased.ts'
import { checkAll } from './invariants.ts'
import type { Model, PurgeModel } from './model.ts'
import type { Real, RealTable } from './real.ts'

export const tableCount = 3
export const index = fc.nat({ max: tableCount - 1 })
/** Which of the leases that were given: the last is the valid one, if any is. */
const which = fc.nat({ max: 2 })

export const hasPurge = (at: number) => (model: Model) => model.tables[at]!.purge !== undefined

type Work = (model: Model, real: Real) => Promise<void>

/** A command that checks every invariant once it has run. */
export class Command implements fc.AsyncCommand<Model, Real> {
  readonly #name: string
  readonly #possible: (model: Model) => boolean
  readonly #work: Work

  constructor(name: string, possible: (model: Model) => boolean, work: Work) {
    this.#name = name
    this.#possible = possible
    this.#work = work
  }

  check(model: Model): boolean {
    return this.#possible(model)
  }

  async run(model: Model, real: Real): Promise<void> {
    await this.#work(model, real)
    await checkAll(model, real)
  }

  toString(): string {
    return this.#name
  }
}

/** A table, its purge in the model, and one of the leases that were given for it. */
export interface Leased {
  readonly table: RealTable
  readonly purge: PurgeModel
  readonly lease: Lease
}

/** What is done under some lease: goes through exactly when that one is in force. */
export function leased(
  name: string,
  work: (real: Real, lease: Lease, table: RealTable) => Promise<unknown>,
  effect: (model: Model, leased: Leased, real: Real) => void | Promise<void>,
): fc.Arbitrary<Command> {
  return fc.tuple(index, which).map(
    ([at, back]) =>
      new Command(`${name}(${at}, ${back})`, hasPurge(at), async (model, real) => {
        const table = real.tables[at]!
        const purge = model.tables[at]!.purge!
        const lease = table.leases.at(-1 - back)
        if (!lease) return
        const inForce = purge.state === 'running' && lease.epoch === purge.epoch
        if (!inForce) {
          const before = [...real.store.files.keys()]
          await expect(work(real, lease, table)).rejects.toThrow(LeaseLostError)
          expect([...real.store.files.keys()], 'files after work without a lease').toEqual(before)
          return
        }
        await work(real, lease, table)
        await effect(model, { table, purge, lease }, real)
      }),
  )
}
