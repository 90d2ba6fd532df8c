/**
 * Hands the data files of a purge over to Amazon S3 Batch Operations: their names in a manifest, and a job that tags them for a
 * lifecycle rule to expire, or that invokes a function which deletes them. Neither is believed: every file is looked for, and
 * only then are their parents erased here, the root last. See docs/guides/s3-batch.md.
 */

import { isWithin } from '../../../storage/location.ts'
import { type Connection, connect } from '../../../storage/s3/client.ts'
import { S3FileIO } from '../../../storage/s3/s3-file-io.ts'
import { closeReach, finished, isDataErased, stillThere } from '../../elsewhere/close-reach.ts'
import { StillThereError } from '../../elsewhere/erased-elsewhere.ts'
import {
  BlockedPurgeError,
  type IcebergPurger,
  type IcebergPurgerFactory,
  type Inspection,
  type PathFailure,
  PermanentPurgeError,
  type Purge,
  type PurgeResult,
  type PurgeRun,
} from '../../purger.ts'
import { type Job, type JobRequest, Jobs, jobRequest } from './job.ts'
import { requireExpiry } from './lifecycle.ts'
import { writeManifests } from './manifest.ts'
import { objectsOf } from './objects.ts'
import { type S3BatchOptions, s3BatchOptions } from './options.ts'
import { givenUp, type Plan, type PlannedJob, planOf, type Unknown, withPlan } from './plan.ts'
import { failedTasks, NoReportError } from './report.ts'

/** Failures that are read of the reports: more are not named, and all files are tried again. */
const maxFailures = 10_000
/** How often in a row, and for how many milliseconds, a job is unknown before it is given up: a new one may not be seen at once. */
const unknownTimes = 3
const unknownFor = 5 * 60_000

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
    if (purge.kind === 'view') return await closeReach(purge, run)
    if (isDataErased(run)) return await this.#close(purge, run)
    let plan = planOf(run)
    // Whether the service may have heard of the first of the jobs without an id.
    let mayBeAsked = true
    if (!plan || plan.jobs.length === 0) {
      mayBeAsked = false
      const before = plan
      plan = await this.#plan(purge, run, before)
      if (plan.jobs.length === 0) {
        return before ? await this.#close(purge, run) : await closeReach(purge, run)
      }
      run.save(withPlan(run, plan))
      await run.flush()
    }
    run.expect(plan.jobs.reduce((sum, { objects }) => sum + objects, 0))
    // From here on a hold has the jobs cancelled, those of which no answer has come, too.
    await run.begin(`s3-batch:${plan.generation}`)
    const reference = referenceOf(await this.#ask(run, plan, mayBeAsked))
    return { kind: 'handed_off', reference, askAfter: this.#options.jobInterval }
  }

  /** Asks for the jobs that have no id yet. Gives the plan with all of them. */
  async #ask(run: PurgeRun, planned: Plan, mayBeAsked: boolean): Promise<Plan> {
    let plan = planned
    let isRepeated = mayBeAsked
    for (const [index, job] of plan.jobs.entries()) {
      if (job.id !== undefined) continue
      await run.confirm()
      const id = await this.#create(run, plan, job.request, isRepeated)
      isRepeated = false
      run.logger.info({ job: id, objects: job.objects }, 'job of S3 Batch Operations created')
      plan = { ...plan, jobs: plan.jobs.with(index, { ...job, id }) }
      run.save(withPlan(run, plan))
    }
    return plan
  }

  async inspect(purge: Purge, _reference: string, run: PurgeRun): Promise<Inspection> {
    const plan = planOf(run)
    if (!plan || isDataErased(run)) return await this.#finish(purge, run)
    // Whoever was to ask for them died, or was refused.
    if (plan.jobs.length === 0 || plan.jobs.some(({ id }) => id === undefined)) {
      const result = await this.purge(purge, run)
      if (result.kind === 'done') return finished(result)
      const { reference } = result
      return { state: 'running', reference, askAfter: this.#options.jobInterval }
    }
    if (plan.completedAt !== undefined) return await this.#finish(purge, run, plan.completedAt)
    const jobs = await Promise.all(plan.jobs.map(({ id }) => this.#jobs.describe(id!, run.signal)))
    if (this.#isWaiting(run, plan, jobs)) {
      return { state: 'running', ...this.#progressOf(jobs), askAfter: this.#options.jobInterval }
    }
    const failures = await this.#failures(purge, plan, jobs, run.signal)
    const ended = jobs.filter(({ state }) => state !== 'complete')
    if (ended.length > 0 || failures.length > 0) return await this.#failed(run, ended, failures)
    const completedAt = this.#now()
    run.save(withPlan(run, { ...plan, unknown: undefined, completedAt }))
    return await this.#finish(purge, run, completedAt)
  }

  async cancel(_purge: Purge, _reference: string, run: PurgeRun): Promise<void> {
    const plan = planOf(run)
    if (!plan) return
    await this.#cancelAll(run, plan)
    // One after the other is asked for: of the first without an id the answer may be lost, the others were never asked for.
    const asked = plan.jobs.filter(({ id }) => id === undefined).slice(0, 1)
    const left = await this.#withdraw(
      run,
      asked.map(({ request }) => request),
    )
    const unanswered = [...(plan.unanswered ?? []), ...left]
    run.save(withPlan(run, givenUp({ ...plan, unanswered }, 'all')))
  }

  async close(): Promise<void> {
    const connection = await this.#connection
    connection?.client.destroy()
    await Promise.all([this.#jobs.close(), this.#files.close()])
  }

  /** Writes the manifests, and says what is to be asked for. After a first plan, only what is there is in them. */
  async #plan(purge: Purge, run: PurgeRun, before: Plan | undefined): Promise<Plan> {
    const { strategy } = this.#options
    const unanswered = await this.#withdraw(run, before?.unanswered ?? [])
    this.#connection ??= connect(this.#options.storage)
    const connection = await this.#connection
    const generation = run.epoch
    const folder = `${this.#folder(purge)}/${generation}`
    const begin = async (bucket: string) => {
      if (strategy.kind === 'tag') await requireExpiry(connection, bucket, strategy, this.#now())
    }
    const manifests = await writeManifests(connection, folder, objectsOf(purge, run, before), begin)
    const jobs = manifests.map((manifest, index): PlannedJob => {
      // At most 64 characters; no two buckets of a generation have the same place.
      const token = `${purge.id}-${generation}-${index}`
      return { request: jobRequest(purge, manifest, folder, token, this.#options), objects: manifest.objects }
    })
    return { generation, jobs, unanswered }
  }

  /**
   * Gives the job's id. When the service refuses the request for good, the plan is given up, with the jobs that it has: the next
   * attempt is planned by the options of then.
   */
  async #create(run: PurgeRun, plan: Plan, request: JobRequest, mayBeAsked: boolean): Promise<string> {
    try {
      return await this.#jobs.create(request, run.signal)
    } catch (error) {
      if (!(error instanceof PermanentPurgeError)) throw error
      await this.#cancelAll(run, plan)
      const { unanswered = [] } = plan
      const rest = { ...plan, unanswered: mayBeAsked ? [...unanswered, request] : unanswered }
      run.save(withPlan(run, givenUp(rest, 'all')))
      throw error
    }
  }

  /** Cancels the jobs that there may be: the same requests tell their ids. Gives those that are refused again. */
  async #withdraw(run: PurgeRun, requests: readonly JobRequest[]): Promise<JobRequest[]> {
    const left: JobRequest[] = []
    for (const request of requests) {
      await run.confirm()
      try {
        await this.#jobs.cancel(await this.#jobs.create(request, run.signal), run.signal)
      } catch (error) {
        if (!(error instanceof PermanentPurgeError)) throw error
        const { ClientRequestToken: token } = request
        run.logger.warn(
          { err: error, token },
          'S3 Control does not say whether there is a job to be cancelled',
        )
        left.push(request)
      }
    }
    return left
  }

  async #cancelAll(run: PurgeRun, { jobs }: Plan): Promise<void> {
    for (const { id } of jobs) if (id !== undefined) await this.#jobs.cancel(id, run.signal)
  }

  /** Whether a job is not over yet, as far as is known. Saves how often one was unknown. */
  #isWaiting(run: PurgeRun, plan: Plan, jobs: readonly Job[]): boolean {
    for (const { id } of jobs.filter(({ status }) => status === 'Suspended')) {
      run.logger.warn({ job: id }, 'job of S3 Batch Operations waits until somebody confirms it')
    }
    const now = this.#now()
    const { times, since } = plan.unknown ?? { times: 0, since: now }
    const isUnknown = jobs.some(({ state }) => state === 'unknown')
    const unknown: Unknown | undefined = isUnknown ? { times: times + 1, since } : undefined
    if (unknown || plan.unknown) run.save(withPlan(run, { ...plan, unknown }))
    if (jobs.some(({ state }) => state === 'running' || state === 'ending')) return true
    return unknown !== undefined && (unknown.times < unknownTimes || now - since < unknownFor)
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
    for (const { id, state, failed } of jobs) {
      if (failed === 0 || (state !== 'complete' && state !== 'failed')) continue
      const limit = maxFailures + 1 - failures.length
      try {
        failures.push(...(await failedTasks(this.#files, reports, id, limit, signal)))
      } catch (error) {
        // A job that was given up need not have one.
        if (!(error instanceof NoReportError) || state === 'complete') throw error
      }
    }
    return failures
  }

  /** @param ended jobs that are not complete: not all of their tasks were tried. */
  async #failed(run: PurgeRun, ended: readonly Job[], failures: readonly PathFailure[]): Promise<Inspection> {
    const text = [...ended.map(endOf), ...tasksOf(failures)].join('; ')
    const inspection = await again(run, text, failures, ended.length > 0 ? 'all' : 'failures')
    const isBlocked = failures.length > 0 && failures.every(({ outcome }) => outcome === 'blocked')
    // What else made a job fail is worth another attempt.
    if (isBlocked && ended.every(({ state, failed }) => state === 'failed' && failed > 0)) {
      throw new BlockedPurgeError(text)
    }
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

  /** Erases what is left when there are no files for a job any more. */
  async #close(purge: Purge, run: PurgeRun): Promise<PurgeResult> {
    const result = await closeReach(purge, run)
    await this.#cleanUp(purge, run)
    return result
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

/** What the ledger shows. */
function referenceOf({ jobs }: Plan): string {
  return `s3-batch:${jobs.map(({ id }) => id).join(',')}`
}

function endOf({ id, state, reason }: Job): string {
  return `job ${id} of S3 Batch Operations ${state}: ${reason || 'no reason given'}`
}

function tasksOf(failures: readonly PathFailure[]): string[] {
  if (failures.length === 0) return []
  const { path, code, message } = failures[0]!
  const count = failures.length > maxFailures ? `More than ${maxFailures}` : String(failures.length)
  return [`${count} tasks of S3 Batch Operations failed, among them ${path}: ${code}: ${message}`]
}

/** Names the failures, and has the next attempt ask for new jobs: for these, as far as all of them can be named. */
async function again(
  run: PurgeRun,
  message: string,
  failures: readonly PathFailure[],
  next: NonNullable<Plan['next']>,
): Promise<Extract<Inspection, { state: 'failed' }>> {
  const before = planOf(run)!
  const names = new Set(failures.map(({ path }) => path))
  const resolved = (await run.reported('data')).filter((path) => !names.has(path))
  const named =
    failures.length <= maxFailures && run.save(withPlan(run, givenUp(before, next)), { failures, resolved })
  if (!named) run.save(withPlan(run, givenUp(before, 'all')), { resolved })
  return { state: 'failed', message }
}
