import fc from 'fast-check'
import { expect } from 'vitest'
import { beat, begin, finish } from '../../src/purge/ledger/leased.ts'
import { PurgeStateError } from '../../src/purge/ledger/operations.ts'
import { undrop } from '../../src/server/undrop.ts'
import { Command, hasPurge, index, leased } from './command.ts'
import { erasures } from './erasures.ts'
import { giveBack, leaseTime, letGo, type Model, type PurgeModel } from './model.ts'
import type { Real, RealTable } from './real.ts'

const inLedger = (at: number) => (model: Model) => hasPurge(at)(model) && !model.tables[at]!.pruned
const lives = (at: number) => (model: Model) => model.tables[at]!.purge === undefined

const drop = fc.tuple(index, fc.constantFrom(0, 0, 5_000)).map(
  ([at, retention]) =>
    new Command(`drop(${at}, ${retention})`, lives(at), async (model, real) => {
      model.drop(model.tables[at]!, retention)
      await real.drop(real.tables[at]!, retention)
    }),
)

const claim = fc.nat({ max: 4 }).map(
  (limit) =>
    new Command(
      `claimDue(${limit})`,
      () => true,
      async (model, real) => {
        const turns = [{ warehouse: real.warehouse, leaseTime }]
        const due = real.tables.filter((_, at) => model.isDue(model.tables[at]!))
        const { leases, settled } = await real.ledger.claimDue(turns, `w-${model.now}`, limit)
        let modelSettled = 0
        let modelLeased = 0
        for (const table of due) {
          const lease = leases.find(({ purge }) => purge.id === table.purge)
          const touched =
            lease !== undefined || (await epochOf(real, table)) > modelOf(model, real, table).epoch
          if (!touched) continue
          const outcome = model.claim(model.tables[real.tables.indexOf(table)]!)
          expect(outcome).toBe(lease ? 'leased' : 'settled')
          if (lease) {
            table.leases.push(lease)
            expect(lease.epoch).toBe(modelOf(model, real, table).epoch)
            modelLeased++
          } else modelSettled++
        }
        // Nothing that was not due, nobody passed over while there was room.
        expect([leases.length, settled]).toEqual([modelLeased, modelSettled])
        expect(leases.length + settled >= Math.min(limit, due.length)).toBe(true)
      },
    ),
)

const beats = leased(
  'beat',
  (real, lease) => beat(real.database, lease, leaseTime, real.progress(lease)),
  (model, { purge }) => {
    purge.leaseExpiresAt = model.now + leaseTime
  },
)

const begins = leased(
  'begin',
  (real, lease) => begin(real.database, lease),
  (_model, { purge }) => {
    purge.begun = true
  },
)

/** The work is about to be handed off: from here on a hold tells the engine. */
const announces = leased(
  'beginElsewhere',
  (real, lease) => begin(real.database, lease, 'job'),
  (_model, { purge }) => {
    purge.begun = true
    purge.reference = true
  },
)

const ends = [
  leased(
    'fail',
    (real, lease) => finish(real.database, lease, { state: 'failed', error: 'e' }, real.progress(lease)),
    (_model, { purge }) => {
      purge.state = 'failed'
      letGo(purge)
    },
  ),
  leased(
    'defer',
    (real, lease) =>
      finish(real.database, lease, { state: 'pending', delay: 3_000, error: 'e' }, real.progress(lease)),
    (model, { purge }) => {
      purge.state = 'pending'
      purge.nextAttemptAt = model.now + 3_000
    },
  ),
  leased(
    'handBack',
    (real, lease) =>
      finish(real.database, lease, { state: 'pending', delay: 0, handedBack: true }, real.progress(lease)),
    (model, { purge }) => {
      purge.state = 'pending'
      purge.nextAttemptAt = model.now
      giveBack(purge)
    },
  ),
  leased(
    'throttle',
    (real, lease) =>
      finish(
        real.database,
        lease,
        { state: 'pending', delay: 3_000, throttled: true, error: 'SlowDown' },
        real.progress(lease),
      ),
    (model, { purge }) => {
      purge.state = 'pending'
      purge.nextAttemptAt = model.now + 3_000
      purge.throttled++
      giveBack(purge)
    },
  ),
  leased(
    'handOff',
    (real, lease) =>
      finish(
        real.database,
        lease,
        { state: 'handed_off', reference: 'job', delay: 2_000 },
        real.progress(lease),
      ),
    (model, { purge }) => {
      purge.state = 'handed_off'
      purge.begun = true
      purge.reference = true
      purge.nextAttemptAt = model.now + 2_000
      giveBack(purge)
    },
  ),
]

/** The engine of a purge that an operator stops has been told. */
const stops = leased(
  'stop',
  (real, lease) =>
    finish(
      real.database,
      lease,
      { state: 'held', reason: lease.recall ?? 'a person has to decide', resubmit: true },
      real.progress(lease),
    ),
  (model, { purge }) => {
    purge.nextAttemptAt = model.now
    // Of a lease that is in force, nobody has asked anything since.
    const isRecalled = purge.heldBy === 'operator'
    purge.state = 'held'
    purge.heldFrom ??= 'pending'
    purge.heldBy ??= 'guard'
    purge.reference = false
    if (!isRecalled) return
    giveBack(purge)
  },
)

const operations = fc.tuple(index, fc.constantFrom('hold', 'release', 'retry', 'cancel', 'undrop')).map(
  ([at, event]) =>
    new Command(`${event}(${at})`, inLedger(at), async (model, real) => {
      const table = real.tables[at]!
      const id = table.purge!
      const allowed = model.operate(model.tables[at]!.purge!, event)
      const operate = async () => {
        if (event === 'hold') await real.ledger.hold(id, 'because')
        else if (event === 'undrop') await restore(real, id)
        else await real.ledger[event](id)
      }
      if (!allowed) {
        await expect(operate()).rejects.toThrow(event === 'undrop' ? Error : PurgeStateError)
        return
      }
      await operate()
      if (event !== 'undrop') return
      // It lives again, and can be dropped again.
      model.tables[at]!.purge = undefined
      table.purge = undefined
    }),
)

const registers = index.map(
  (at) =>
    new Command(
      `register(${at})`,
      () => true,
      async (model, real) => {
        const table = real.tables[at]!
        const name = `twin-${at}-${table.twins.length}-${model.now}`
        const metadataLocation = table.written.purge.metadataLocation
        const registering = real.catalog.registerTable(['ns'], { name, metadataLocation, overwrite: false })
        if (model.isUnfinished(model.tables[at]!)) {
          await expect(registering).rejects.toThrow(table.purge!)
          return
        }
        // A second one of this name at the same time is refused, and that is all.
        const registered = await registering.then(
          () => true,
          () => false,
        )
        if (!registered) return
        table.twins.push(name)
        model.tables[at]!.twins++
      },
    ),
)

const dropsTwin = index.map(
  (at) =>
    new Command(
      `dropTwin(${at})`,
      (model) => model.tables[at]!.twins > 0,
      async (model, real) => {
        await real.catalog.dropTable({ namespace: ['ns'], name: real.tables[at]!.twins.pop()! })
        model.tables[at]!.twins--
      },
    ),
)

const createsOver = index.map(
  (at) =>
    new Command(
      `createOver(${at})`,
      (model) => model.isUnfinished(model.tables[at]!) || model.tables[at]!.purge === undefined,
      async (_model, real) => {
        const location = `${real.location(at)}/inside`
        const request = {
          name: 'over',
          schema: { type: 'struct', fields: [] },
          partitionSpec: undefined,
          writeOrder: undefined,
          properties: {},
          location,
        }
        await expect(real.catalog.createTable(['ns'], request)).rejects.toMatchObject({ status: 409 })
      },
    ),
)

const passes = fc.constantFrom(1, 2_500, leaseTime + 1, 60_000, -3_000).map(
  (milliseconds) =>
    new Command(
      `pass(${milliseconds})`,
      () => true,
      async (model, real) => {
        model.now += milliseconds
        real.now = model.now
      },
    ),
)

const prunes = fc.constantFrom(0, 30_000).map(
  (age) =>
    new Command(
      `prune(${age})`,
      () => true,
      async (model, real) => {
        const old = model.tables.filter(
          (table) =>
            table.purge &&
            !table.pruned &&
            !model.isUnfinished(table) &&
            table.purge.endedAt < model.now - age,
        )
        // Purges of tables that came back are in the ledger, too.
        expect(await real.ledger.prune(real.warehouse, age)).toBeGreaterThanOrEqual(old.length)
        for (const table of old) {
          const at = model.tables.indexOf(table)
          expect(await real.ledger.get(real.tables[at]!.purge!)).toBeUndefined()
          table.pruned = true
        }
      },
    ),
)

export const commands: fc.Arbitrary<fc.AsyncCommand<Model, Real>>[] = [
  drop,
  drop,
  claim,
  claim,
  claim,
  beats,
  ...erasures,
  ...erasures,
  begins,
  announces,
  ...ends,
  stops,
  operations,
  operations,
  operations,
  registers,
  dropsTwin,
  createsOver,
  passes,
  passes,
  prunes,
]

function modelOf(model: Model, real: Real, table: RealTable): PurgeModel {
  return model.tables[real.tables.indexOf(table)]!.purge!
}

async function epochOf(real: Real, table: RealTable): Promise<number> {
  const row = await real.database.reader
    .selectFrom('purges')
    .select('lease_epoch')
    .where('id', '=', table.purge!)
    .executeTakeFirst()
  return row?.lease_epoch ?? -1
}

async function restore(real: Real, id: string): Promise<void> {
  const warehouses = new Map([[real.warehouse, { catalog: real.catalog }]])
  await undrop({ ledger: real.ledger, warehouses: warehouses as never }, id)
}
