import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import {
  createNamespace,
  createTables,
  monitorOf,
  registerTables,
  untilSucceeded,
  watch,
} from '../parts/rest.ts'
import type { Answered, Job } from './generator.ts'
import type { Doomed, DoomedTables } from './mix.ts'
import { burst, pathOf, steadyLoad, type TimedRequest } from './schedule.ts'
import type { SubjectKind } from './subjects.ts'

/** Connections that are open before a load begins. */
const connections = 100
/** Tables that are loaded and committed to: so many that no table has two commits in flight. */
const liveTables = 200

export interface Plan {
  /** Folder. */
  readonly warehouse: string
  readonly tables: DoomedTables
  /** Dropped before anything is measured. */
  readonly warmUp: { readonly seconds: number; readonly drops: readonly Doomed[] }
  readonly steady: { readonly seconds: number; readonly drops: readonly Doomed[] }
  readonly burst: { readonly lead: Doomed; readonly drops: readonly Doomed[] }
}

/** A request with its answer. */
export type Exchange = TimedRequest & Answered

export interface Measured {
  readonly subject: string
  readonly steady: readonly Exchange[]
  /** Without the drop that precedes it. */
  readonly burst: readonly Exchange[]
  /** Of the steady load's drops, those whose files were all gone when its time was over. */
  readonly purged: number
  /** Seconds from the burst until the files of every table were gone. */
  readonly drained: number
  /** Files that are there still, although their tables are purged. */
  readonly left: number
}

/** Measures one subject from its start to its end. Throws Error when a purge fails. */
export async function measure(kind: SubjectKind, plan: Plan): Promise<Measured> {
  await using subject = await kind.start(plan.warehouse)
  const { api } = subject
  await createNamespace(api)
  const names = Array.from({ length: liveTables }, (_, index) => `live_${index}`)
  const live = await createTables(api, names)
  await registerTables(api, plan.tables.copy())

  const opening = pathOf(api, live[0]!.name)
  const send = (requests: readonly TimedRequest[]) =>
    generate({ origin: new URL(api).origin, opening, connections, requests })

  await send(steadyLoad(api, plan.warmUp.drops, live, plan.warmUp.seconds))
  const steady = await send(steadyLoad(api, plan.steady.drops, live, plan.steady.seconds))
  const dropped = steady.filter(({ operation }) => operation === 'DELETE')
  const monitors = kind.waits ? [] : monitorsOf(api, dropped)
  const purged = kind.waits
    ? dropped.filter(({ at, latency }) => at + latency <= plan.steady.seconds * 1_000).length
    : (await watch(monitors)).filter(({ state }) => state === 'succeeded').length

  const began = performance.now()
  const [lead, ...atOnce] = await send(burst(api, plan.burst.lead, plan.burst.drops))
  if (!kind.waits) await untilSucceeded([...monitors, ...monitorsOf(api, [lead!, ...atOnce])])
  return {
    subject: kind.name,
    steady,
    burst: atOnce,
    purged,
    drained: (performance.now() - began) / 1_000,
    left: plan.tables.left(),
  }
}

function monitorsOf(api: string, drops: readonly Exchange[]): string[] {
  return drops.filter(({ status }) => status === 204).map(({ link }) => monitorOf(api, link))
}

/** Sends a load from a new process. */
async function generate(job: Job): Promise<Exchange[]> {
  const generator = fork(join(import.meta.dirname, 'generator.ts'))
  const failed = once(generator, 'exit').then(([status]) => {
    throw new Error(`The load generator ended with ${status}`)
  })
  failed.catch(() => {})
  generator.send(job)
  const [answered] = (await Promise.race([once(generator, 'message'), failed])) as [Answered[]]
  return answered.map((answer, index) => ({ ...job.requests[index]!, ...answer }))
}
