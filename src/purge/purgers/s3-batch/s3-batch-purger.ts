/**
 * Hands the data files of a purge over to Amazon S3 Batch Operations: their names in a manifest, and a job that tags them for a
 * lifecycle rule to expire, or that invokes a function which deletes them. Neither is believed: every file is looked for, and
 * only then are their parents erased here, the root last. See docs/guides/s3-batch.md.
 */

import { canonicalLocation, isWithin } from '../../../storage/location.ts'
import { type Connection, connect } from '../../../storage/s3/client.ts'
import { objectOf } from '../../../storage/s3/object.ts'
import { S3FileIO } from '../../../storage/s3/s3-file-io.ts'
import { closeReach, finished, isDataErased, stillThere } from '../../elsewhere/close-reach.ts'
import { doomedData, StillThereError } from '../../elsewhere/erased-elsewhere.ts'
import { ownPlacesOf } from '../../elsewhere/own-places.ts'
import {
  BlockedPurgeError,
  type IcebergPurger,
  type IcebergPurgerFactory,
  type Inspection,
  type PathFailure,
  type Purge,
  type PurgeResult,
  type PurgeRun,
} from '../../purger.ts'
import { type Job, Jobs, jobRequest } from './job.ts'
import { requireExpiry } from './lifecycle.ts'
import { type ObjectName, writeManifests } from './manifest.ts'
import { type S3BatchOptions, s3BatchOptions } from './options.ts'
import { type Plan, type PlannedJob, planOf, withPlan } from './plan.ts'
import { failedTasks } from './report.ts'

/** Failures that are read of the reports: more are not named, and all files are tried again. */
const maxFailures = 10_000

export class S3BatchPurger implements IcebergPurger {
  readonly name = 's3-batch'
  readonly waits = false
  readonly #options: S3BatchOptions
  readonly #jobs: Jobs
  /** Manifests and reports. */
  readonly #files: S3FileIO
  readonly #now: () => number
  #connection: Promise<Connection> | undefined

  /** @param now milliseconds since the epoch, for the deadline. */
  constructor(options: S3BatchOptions, now: () => number = Date.now) {
    this.#options = options
    this.#jobs = new Jobs(options)
    this.#files = new S3FileIO(options.storage)
    this.#now = now
  }

  /** What has no data files of its own to be erased (a view, `gc.enabled=false`) makes no job. */
  async purge(purge: Purge, run: PurgeRun): Promise<PurgeResult> {
    if (purge.kind === 'view' || isDataErased(run)) return await closeReach(purge, run)
    let plan = planOf(run)
    if (!plan || plan.jobs.length === 0) {
      plan = await this.#plan(purge, run, plan?.next ?? 'all')
      if (plan.jobs.length === 0) return await closeReach(purge, run)
      run.save(withPlan(run, plan))
      await run.flush()
    }
    run.expect(plan.jobs.reduce((sum, { objects }) => sum + objects, 0))
    await run.begin()
    for (const [index, job] of plan.jobs.entries()) {
      if (job.id !== undefined) continue
      await run.confirm()
      const id = await this.#jobs.create(job.request, run.signal)
      run.logger.info({ job: id, objects: job.objects }, 'job of S3 Batch Operations created')
      plan = { ...plan, jobs: plan.jobs.with(index, { ...job, id }) }
      run.save(withPlan(run, plan))
    }
    const reference = `s3-batch:${plan.jobs.map(({ id }) => id).join(',')}`
    return { kind: 'handed_off', reference, askAfter: this.#options.jobInterval }
  }

  async inspect(purge: Purge, _reference: string, run: PurgeRun): Promise<Inspection> {
    const plan = planOf(run)
    if (!plan || isDataErased(run)) return await this.#finish(purge, run)
    if (plan.jobs.length === 0) {
      return { state: 'failed', message: 'S3 Batch Operations has to be asked again.' }
    }
    if (plan.completedAt !== undefined) return await this.#finish(purge, run, plan.completedAt)
    const jobs = await Promise.all(plan.jobs.map(({ id }) => this.#jobs.describe(id!, run.signal)))
    if (jobs.some(({ state }) => state === 'running')) {
      return { state: 'running', ...this.#progressOf(jobs), askAfter: this.#options.jobInterval }
    }
    const ended = jobs.filter(({ state }) => state !== 'complete')
    if (ended.length > 0) {
      const reasons = ended.map(
        ({ id, state, reason }) => `job ${id} ${state}: ${reason || 'no reason given'}`,
      )
      return await again(run, `S3 Batch Operations: ${reasons.join('; ')}`, [], 'all')
    }
    const failures = await this.#failures(purge, plan, jobs, run.signal)
    if (failures.length > 0) return await this.#failed(run, failures)
    const completedAt = this.#now()
    run.save(withPlan(run, { ...plan, completedAt }))
    return await this.#finish(purge, run, completedAt)
  }

  async cancel(_purge: Purge, _reference: string, run: PurgeRun): Promise<void> {
    const plan = planOf(run)
    if (!plan) return
    for (const { id } of plan.jobs) if (id !== undefined) await this.#jobs.cancel(id, run.signal)
    run.save(withPlan(run, { generation: plan.generation, jobs: [], next: 'all' }))
  }

  async close(): Promise<void> {
    const connection = await this.#connection
    connection?.client.destroy()
    await Promise.all([this.#jobs.close(), this.#files.close()])
  }

  /** Writes the manifests, and says what is to be asked for. */
  async #plan(purge: Purge, run: PurgeRun, which: NonNullable<Plan['next']>): Promise<Plan> {
    const { strategy } = this.#options
    this.#connection ??= connect(this.#options.storage)
    const connection = await this.#connection
    const generation = run.epoch
    const folder = `${this.#folder(purge)}/${generation}`
    const named = which === 'failures' ? new Set(await run.reported('data')) : undefined
    const begin = async (bucket: string) => {
      if (strategy.kind === 'tag') await requireExpiry(connection, bucket, strategy, this.#now())
    }
    const objects = objectsOf(purge, run, named)
    const manifests = await writeManifests(connection, folder, objects, begin)
    const jobs = manifests.map((manifest, index): PlannedJob => {
      // At most 64 characters; no two buckets of a generation have the same place.
      const token = `${purge.id}-${generation}-${index}`
      return { request: jobRequest(purge, manifest, folder, token, this.#options), objects: manifest.objects }
    })
    return { generation, jobs }
  }

  /** Of jobs that tag it is not known how many files are erased. */
  #progressOf(jobs: readonly Job[]): Pick<Extract<Inspection, { state: 'running' }>, 'counts'> {
    if (this.#options.strategy.kind === 'tag') return {}
    return { counts: { data: { deleted: jobs.reduce((sum, { succeeded }) => sum + succeeded, 0) } } }
  }

  async #failures(
    purge: Purge,
    { generation }: Plan,
    jobs: readonly Job[],
    signal: AbortSignal,
  ): Promise<PathFailure[]> {
    const reports = `${this.#folder(purge)}/${generation}/reports`
    const failures: PathFailure[] = []
    for (const { id, failed } of jobs) {
      const limit = maxFailures + 1 - failures.length
      if (failed > 0) failures.push(...(await failedTasks(this.#files, reports, id, limit, signal)))
    }
    return failures
  }

  async #failed(run: PurgeRun, failures: readonly PathFailure[]): Promise<Inspection> {
    const { path, code, message } = failures[0]!
    const count = failures.length > maxFailures ? `More than ${maxFailures}` : String(failures.length)
    const text = `${count} tasks of S3 Batch Operations failed, among them ${path}: ${code}: ${message}`
    const inspection = await again(run, text, failures, 'failures')
    if (failures.every(({ outcome }) => outcome === 'blocked')) throw new BlockedPurgeError(text)
    return inspection
  }

  /** Erases what is left when every file of the jobs is gone. */
  async #finish(purge: Purge, run: PurgeRun, completedAt?: number): Promise<Inspection> {
    const { strategy } = this.#options
    let result: PurgeResult
    try {
      result = await closeReach(purge, run)
    } catch (error) {
      if (!(error instanceof StillThereError) || completedAt === undefined) throw error
      if (strategy.kind === 'tag' && this.#now() - completedAt <= strategy.deadline) {
        return { state: 'running', askAfter: strategy.lifecycleInterval }
      }
      const why =
        strategy.kind === 'tag'
          ? `The lifecycle of the bucket has not erased what is tagged ${strategy.tag.key}=${strategy.tag.value}, within ${strategy.deadline / 3_600_000} hours after the job.`
          : 'The function said that it has deleted what is there.'
      return await again(
        run,
        `${why} ${error.message}`,
        stillThere(error, 'It is still there after the job.'),
        'all',
      )
    }
    await this.#cleanUp(purge, run)
    return finished(result)
  }

  /** Removes manifests and reports. The table is erased: that they stay is no reason to fail. */
  async #cleanUp(purge: Purge, run: PurgeRun): Promise<void> {
    const folder = this.#folder(purge)
    try {
      const files = await Array.fromAsync(this.#files.list(folder, { signal: run.signal }))
      const locations = files.map(({ location }) => location)
      const outcomes = await this.#files.deleteFiles(locations, { signal: run.signal })
      const left = outcomes.filter(({ outcome }) => outcome === 'failed' || outcome === 'blocked')
      if (left.length > 0) run.logger.warn({ folder, left: left.length }, 'manifests and reports are left')
    } catch (error) {
      run.signal.throwIfAborted()
      run.logger.warn({ err: error, folder }, 'manifests and reports are left')
    }
  }

  #folder(purge: Purge): string {
    return `${this.#options.manifestLocation}/${purge.id}`
  }
}

/** Makes it from `purge.options`: see docs/guides/s3-batch.md. Throws an Error that names the option. */
export const createS3BatchPurger: IcebergPurgerFactory = (given, { warehouse }) => {
  const options = s3BatchOptions(given)
  if (!warehouse.location.startsWith('s3')) {
    throw new Error(
      `the warehouse ${warehouse.name} is not on S3; s3-batch is for warehouses on Amazon S3 only`,
    )
  }
  if (isWithin(options.manifestLocation, warehouse.location)) {
    throw new Error("manifestLocation must lie outside of the warehouse's location")
  }
  return new S3BatchPurger(options)
}

/** The doomed files in the table's own places; of these, those that are named. */
async function* objectsOf(
  purge: Purge,
  run: PurgeRun,
  named: ReadonlySet<string> | undefined,
): AsyncGenerator<readonly ObjectName[]> {
  const isJobs = await ownPlacesOf(purge, run)
  for await (const files of doomedData(purge, run)) {
    run.signal.throwIfAborted()
    const paths = files.map(({ path }) => path).filter(isJobs)
    yield paths.filter((path) => !named || named.has(canonicalLocation(path))).map(objectOf)
  }
}

/** Names the failures, and has the next attempt ask for new jobs: for these, as far as all of them can be named. */
async function again(
  run: PurgeRun,
  message: string,
  failures: readonly PathFailure[],
  next: NonNullable<Plan['next']>,
): Promise<Extract<Inspection, { state: 'failed' }>> {
  const { generation } = planOf(run)!
  const names = new Set(failures.map(({ path }) => path))
  const resolved = (await run.reported('data')).filter((path) => !names.has(path))
  const plan = { generation, jobs: [], next }
  const named = failures.length <= maxFailures && run.save(withPlan(run, plan), { failures, resolved })
  if (!named) run.save(withPlan(run, { ...plan, next: 'all' }), { resolved })
  return { state: 'failed', message }
}
