import { setTimeout as sleep } from 'node:timers/promises'
import { mapBounded } from '../concurrency.ts'
import { type DeleteOutcome, FileNotFoundError, StorageUnavailableError } from '../file-io.ts'
import { planRequests, type Target } from './batches.ts'
import type { Connection } from './client.ts'
import { type DeleteRequestOptions, sendDeleteObjects } from './delete-request.ts'
import {
  errorCode,
  fileError,
  isBadRequest,
  isForbidden,
  isRefusal,
  isRetryable,
  isThrottled,
  keyOutcome,
  refusesCredentials,
} from './errors.ts'
import { aroundAnswer, reportThrottling } from './throttling.ts'

const deleted: DeleteOutcome = Object.freeze({ outcome: 'deleted' })
/** Requests for keys that failed, beside the SDK's own retries of whole requests. */
const keyAttempts = 5
/** Milliseconds before the first of them; doubles, with full jitter. */
const firstDelay = 100
/** Requests at a time where every key needs one of its own. */
const singlesInFlight = 16

/**
 * Deletes files of any number of buckets: one outcome for each location, in order. Keys that failed inside a
 * successful answer, which no SDK retries, are sent again by themselves before they are reported. A batch that the
 * store refuses as a whole (one bad or forbidden key among them, or no DeleteObjects at all) is deleted key by key; where it
 * was not for one of its keys, the bucket is not sent batches for a while.
 *
 * Throws FileAccessError when a bucket does not exist or the credentials are refused altogether,
 * StorageUnavailableError when the store does not answer at all.
 */
export async function deleteObjects(
  connection: Connection,
  locations: readonly string[],
  options: DeleteRequestOptions & {
    readonly inFlight: number
    readonly versions?: readonly string[] | undefined
  },
): Promise<DeleteOutcome[]> {
  const outcomes = new Array<DeleteOutcome>(locations.length)
  const { batches, single } = planRequests(locations, options.versions, outcomes)
  await mapBounded(batches, options.inFlight, async (targets) => {
    await deleteBatch(connection, targets, outcomes, options)
  })
  await deleteSingly(connection, single, outcomes, options)
  return outcomes
}

/** @param targets of one bucket. */
async function deleteBatch(
  connection: Connection,
  targets: readonly Target[],
  outcomes: DeleteOutcome[],
  options: DeleteRequestOptions,
): Promise<void> {
  const { signal, onThrottle } = options
  const { refusedBatches } = connection
  const { bucket } = targets[0]!
  if (refusedBatches.has(bucket)) return await deleteSingly(connection, targets, outcomes, options)
  let waiting = targets
  for (let attempt = 1; waiting.length > 0; attempt++) {
    signal?.throwIfAborted()
    const failed = await requestBatch(connection, waiting, options)
    if (failed === 'refused' || failed === 'bad') {
      await deleteSingly(connection, waiting, outcomes, options)
      const isForKey = failed === 'bad' || waiting.some(({ index }) => outcomes[index]!.outcome === 'blocked')
      if (!isForKey) refusedBatches.add(bucket)
      return
    }
    if (failed.size === 0) {
      for (const { index } of waiting) outcomes[index] = deleted
      return
    }
    if ([...failed.values()].some(isThrottled)) onThrottle?.(undefined)
    const again: Target[] = []
    for (const target of waiting) {
      const outcome = failed.get(nameOf(target)) ?? deleted
      outcomes[target.index] = outcome
      if (attempt < keyAttempts && isRetryable(outcome)) again.push(target)
    }
    waiting = again
    if (waiting.length > 0) await sleep(Math.random() * firstDelay * 2 ** attempt, undefined, { signal })
  }
}

/** Of a target or of an error: the zero character is in no key that a batch holds. */
function nameOf({ key, version }: { readonly key: string; readonly version: string | undefined }): string {
  return version === undefined ? key : `${key}\0${version}`
}

/** What did not succeed, by name; what the answer does not name is deleted: stores differ in how they read `Quiet`. */
async function requestBatch(
  connection: Connection,
  targets: readonly Target[],
  options: DeleteRequestOptions,
): Promise<Map<string, DeleteOutcome> | 'refused' | 'bad'> {
  const { bucket } = targets[0]!
  const failed = new Map<string, DeleteOutcome>()
  let throttled = false
  const onThrottle = (retryAfter: number | undefined) => {
    throttled = true
    options.onThrottle?.(retryAfter)
  }
  try {
    const errors = await sendDeleteObjects(connection, bucket, targets, {
      signal: options.signal,
      onThrottle,
    })
    const names = new Set(errors.length > 0 ? targets.map(nameOf) : [])
    const versioned = targets[0]!.version !== undefined
    for (const { Key = '', VersionId, Code = 'Unknown', Message = '' } of errors) {
      if (Code === 'NoSuchBucket') throw Object.assign(new Error(Message), { name: Code })
      const name = nameOf({ key: Key, version: versioned ? VersionId : undefined })
      if (!names.has(name)) throw misunderstood(bucket, Code)
      failed.set(name, keyOutcome(Code, Message || Code))
    }
  } catch (error) {
    options.signal?.throwIfAborted()
    if (isRefusal(error)) return isBadRequest(error) ? 'bad' : 'refused'
    const mapped = fileError(`s3://${bucket}`, error)
    // No answer at all is how a store that has too much to do begins.
    if (mapped instanceof StorageUnavailableError && !throttled) onThrottle(undefined)
    throw mapped instanceof FileNotFoundError ? misunderstood(bucket, errorCode(error)) : mapped
  }
  return failed
}

function misunderstood(bucket: string, code: string): StorageUnavailableError {
  return new StorageUnavailableError(
    `s3://${bucket}`,
    `The answer to DeleteObjects cannot be understood (${code}): s3://${bucket}`,
  )
}

async function deleteSingly(
  { sdk, client }: Connection,
  targets: readonly Target[],
  outcomes: DeleteOutcome[],
  { signal, onThrottle }: DeleteRequestOptions,
): Promise<void> {
  await mapBounded(targets, singlesInFlight, async ({ index, location, bucket, key, version }) => {
    try {
      const command = new sdk.DeleteObjectCommand({
        Bucket: bucket,
        Key: key,
        ...(version !== undefined && { VersionId: version }),
      })
      command.middlewareStack.add((next) => reportThrottling(next, onThrottle), aroundAnswer)
      await client.send(command, { abortSignal: signal })
      outcomes[index] = { outcome: 'deleted' }
    } catch (error) {
      signal?.throwIfAborted()
      const code = errorCode(error)
      if (code === 'NoSuchBucket' || refusesCredentials(error)) throw fileError(location, error)
      const { message } = error as Error
      outcomes[index] = isForbidden(error) ? { outcome: 'blocked', code, message } : keyOutcome(code, message)
    }
  })
}
