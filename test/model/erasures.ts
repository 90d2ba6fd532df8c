/** Attempts of a purger at real files, that come to their end, meet a store that fails, or die. */
import fc from 'fast-check'
import { pino } from 'pino'
import { expect } from 'vitest'
import type { Database } from '../../src/database/database.ts'
import { eraseReach } from '../../src/purge/erase-reach.ts'
import type { Lease } from '../../src/purge/ledger/claims.ts'
import type { IcebergPurger } from '../../src/purge/purger.ts'
import { runAttempt } from '../../src/purge/run-attempt.ts'
import { StorageUnavailableError } from '../../src/storage/file-io.ts'
import { forwardFileIO } from '../../src/storage/forward.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { type Leased, leased } from './command.ts'
import { giveBack, leaseTime, letGo, type Model, maxAttempts } from './model.ts'
import type { Real } from './real.ts'

/** Erases by itself, also what it is said to have handed off; and stops whenever it is told to. */
const purger: IcebergPurger = {
  name: 'x',
  waits: false,
  purge: async (purge, run) => await eraseReach(purge, run),
  inspect: async (purge, _reference, run) => {
    const { kind } = await eraseReach(purge, run)
    return { state: kind === 'done' ? 'finished' : 'running' }
  },
  cancel: async () => undefined,
}

/** What stops an attempt, after so many batches of three files: the whole of a table has fewer than twenty. */
type Fault = { readonly kind: 'none' } | { readonly kind: 'outage' | 'death'; readonly batches: number }

const batches = fc.nat({ max: 8 })
const faults: fc.Arbitrary<Fault> = fc.oneof(
  fc.constant<Fault>({ kind: 'none' }),
  fc.record({ kind: fc.constant('outage' as const), batches }),
  fc.record({ kind: fc.constant('death' as const), batches }),
)

/** How the latest attempt went. */
interface Attempted {
  deletions: number
  cut: boolean
  died: boolean
}

async function attempt(real: Real, lease: Lease, fault: Fault): Promise<Attempted> {
  const went: Attempted = { deletions: 0, cut: false, died: false }
  const allowed = fault.kind === 'none' ? Number.POSITIVE_INFINITY : fault.batches
  const io = forwardFileIO(real.store, {
    deleteFiles: async (locations, options) => {
      if (went.cut || went.deletions >= allowed) {
        went.cut = true
        throw new StorageUnavailableError(locations[0]!, 'The store is gone (ECONNRESET)')
      }
      went.deletions++
      return await real.store.deleteFiles(locations, options)
    },
  })
  const database = Object.create(real.database) as Database
  database.transaction = async (work) => {
    if (fault.kind === 'death' && went.cut) {
      went.died = true
      throw new Error('The worker is dead.')
    }
    return await real.database.transaction(work)
  }
  const running = runAttempt(lease, {
    database,
    ledger: real.ledger,
    purger,
    io,
    logger: pino({ level: 'silent' }),
    owner: lease.owner,
    clock: new VirtualClock(),
    backoff: { base: 0, max: 0 },
    deleteConcurrency: 1,
    leaseTime,
  })
  try {
    await running
  } catch (error) {
    if (!went.died) throw error
  }
  return went
}

async function effect(
  model: Model,
  { table, purge, lease }: Leased,
  real: Real,
  { deletions, cut, died }: Attempted,
): Promise<void> {
  if (lease.recall !== undefined) {
    purge.state = 'held'
    purge.reference = false
    purge.nextAttemptAt = model.now
    giveBack(purge)
    return
  }
  if (deletions > 0 || cut) purge.begun = true
  if (died) {
    // How much of what it did became durable is not for the model to say: either all of it counts as fruitless, or none.
    table.leases.splice(table.leases.indexOf(lease), 1)
    const { fruitless, throttled, lease_expires_at } = await real.row(table.purge!)
    expect([0, purge.fruitless]).toContain(fruitless)
    if (deletions === 0) expect(fruitless).toBe(purge.fruitless)
    expect([purge.leaseExpiresAt, model.now + leaseTime]).toContain(lease_expires_at)
    expect(throttled).toBe(fruitless === 0 ? 0 : purge.throttled)
    purge.fruitless = fruitless
    purge.throttled = throttled
    purge.leaseExpiresAt = lease_expires_at!
    return
  }
  if (deletions > 0) {
    purge.fruitless = 0
    purge.throttled = 0
  }
  if (!cut) {
    purge.state = 'succeeded'
    letGo(purge)
    purge.endedAt = model.now
    model.certificates++
    return
  }
  if (purge.fruitless >= maxAttempts) {
    purge.state = 'failed'
    letGo(purge)
    return
  }
  purge.state = 'pending'
  purge.nextAttemptAt = model.now
}

/** Under whatever lease: without one that is in force, nothing is deleted. */
export const erasures = [
  faults.chain((fault) => {
    let went: Attempted
    return leased(
      `erase ${JSON.stringify(fault)} `,
      async (real, lease) => {
        went = await attempt(real, lease, fault)
      },
      (model, held, real) => effect(model, held, real, went),
    )
  }),
]
