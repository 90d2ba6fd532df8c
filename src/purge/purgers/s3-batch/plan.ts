/**
 * What has been asked of S3 Batch Operations for a purge. It is saved in the purge's checkpoint, and durable before the first
 * call: whoever claims the purge after a crash repeats the same call with the same token, which makes no second job.
 */
import { checkpointOf } from '../../checkpoint.ts'
import type { PurgeRun } from '../../purger.ts'
import type { JobRequest } from './job.ts'

export interface Plan {
  /** Epoch of the attempt that has written the manifests; names them. */
  readonly generation: number
  /** One for each bucket: a job serves one. Empty when the manifests are to be written anew. */
  readonly jobs: readonly PlannedJob[]
  /** Milliseconds since the epoch at which all jobs were seen to be complete, with no failure; undefined before. */
  readonly completedAt?: number
  /** Which files the next manifests hold: all that are doomed, or those that the ledger names as failures. */
  readonly next?: 'all' | 'failures'
  /** Set as long as the service, asked once after another, does not know one of the jobs. */
  readonly unknown?: Unknown | undefined
  /**
   * Requests of plans that were given up, to which there may be jobs: they were repeated because the first answer was lost, and
   * then refused. Those jobs are to be cancelled before others are asked for, as soon as the service says which they are.
   */
  readonly unanswered?: readonly JobRequest[]
}

/** How often in a row the service did not know a job. */
export interface Unknown {
  readonly times: number
  /** Milliseconds since the epoch, of the first time. */
  readonly since: number
}

export interface PlannedJob {
  readonly request: JobRequest
  /** Objects that the manifest names. */
  readonly objects: number
  /** Undefined before the service has answered. */
  readonly id?: string
}

/** The plan that a checkpoint holds, which it does until the data stage is done. */
export function planOf({ checkpoint }: PurgeRun): Plan | undefined {
  return (checkpoint as { readonly s3Batch?: Plan } | null | undefined)?.s3Batch
}

/** What stays of a plan whose jobs are over, or not to be. */
export function givenUp({ generation, unanswered = [] }: Plan, next: NonNullable<Plan['next']>): Plan {
  return { generation, jobs: [], next, unanswered }
}

/** The same checkpoint with another plan. */
export function withPlan({ checkpoint }: PurgeRun, s3Batch: Plan): object {
  return { ...checkpointOf(checkpoint), s3Batch }
}
