import { setTimeout as sleep } from 'node:timers/promises'
import { mapBounded } from '../concurrency.ts'
import { type DeleteOutcome, FileAccessError, InvalidLocationError } from '../file-io.ts'
import { s3Parts } from '../location.ts'
import type { Connection } from './client.ts'
import { errorCode, fileError, isRetryable, keyOutcome } from './errors.ts'

/** Keys of one DeleteObjects request: the protocol's limit. */
const batchSize = 1_000
/** Requests for keys that failed, beside the SDK's own retries of whole requests. */
const keyAttempts = 5
/** Milliseconds before the first of them; doubles, with full jitter. */
const firstDelay = 100

/** Whether XML 1.0 cannot carry the key, or not unchanged: it is then deleted by a request of its own. */
function unfitForXml(key: string): boolean {
  if (!key.isWellFormed()) return true
  for (let at = 0; at < key.length; at++) {
    const code = key.charCodeAt(at)
    if (code < 0x20 || code === 0x7f || code >= 0xfffe) return true
  }
  return false
}

interface Target {
  readonly index: number
  readonly location: string
  readonly key: string
}

/**
 * Deletes files of any number of buckets: one outcome for each location, in order. Keys that failed inside a
 * successful answer, which no SDK retries, are sent again by themselves before they are reported.
 *
 * Throws FileAccessError when a bucket does not exist or the credentials are refused altogether,
 * StorageUnavailableError when the store does not answer at all.
 */
export async function deleteObjects(
  connection: Connection,
  locations: readonly string[],
  options: { readonly inFlight: number; readonly signal?: AbortSignal | undefined },
): Promise<DeleteOutcome[]> {
  const outcomes = new Array<DeleteOutcome>(locations.length)
  const { batches, single } = plan(locations, outcomes)
  await mapBounded(batches, options.inFlight, async ({ bucket, targets }) => {
    await deleteBatch(connection, bucket, targets, outcomes, options.signal)
  })
  await mapBounded(single, options.inFlight, async (target) => {
    outcomes[target.index] = await deleteOne(connection, target, options.signal)
  })
  return outcomes
}

interface Batch {
  readonly bucket: string
  readonly targets: Target[]
}

function plan(
  locations: readonly string[],
  outcomes: DeleteOutcome[],
): { batches: Batch[]; single: Target[] } {
  const open = new Map<string, Batch>()
  const batches: Batch[] = []
  const single: Target[] = []
  for (const [index, location] of locations.entries()) {
    let parts: { bucket: string; key: string }
    try {
      parts = s3Parts(location)
    } catch (error) {
      if (!(error instanceof InvalidLocationError)) throw error
      outcomes[index] = { outcome: 'blocked', code: 'InvalidLocation', message: error.message }
      continue
    }
    const target = { index, location, key: parts.key }
    if (parts.key === '') {
      outcomes[index] = {
        outcome: 'failed',
        code: 'InvalidLocation',
        message: 'The location names a bucket.',
      }
    } else if (unfitForXml(parts.key)) {
      single.push(target)
    } else {
      let batch = open.get(parts.bucket)
      if (!batch || batch.targets.length === batchSize) {
        batch = { bucket: parts.bucket, targets: [] }
        open.set(parts.bucket, batch)
        batches.push(batch)
      }
      batch.targets.push(target)
    }
  }
  return { batches, single }
}

async function deleteBatch(
  { sdk, client }: Connection,
  bucket: string,
  targets: readonly Target[],
  outcomes: DeleteOutcome[],
  signal: AbortSignal | undefined,
): Promise<void> {
  let waiting = targets
  for (let attempt = 1; waiting.length > 0; attempt++) {
    signal?.throwIfAborted()
    const keys = new Set(waiting.map(({ key }) => key))
    const command = new sdk.DeleteObjectsCommand({
      Bucket: bucket,
      Delete: { Objects: [...keys].map((Key) => ({ Key })), Quiet: true },
    })
    const failed = new Map<string, DeleteOutcome>()
    try {
      const answer = await client.send(command, { abortSignal: signal })
      for (const { Key = '', Code = 'Unknown', Message = '' } of answer.Errors ?? []) {
        if (Code === 'NoSuchBucket') throw Object.assign(new Error(Message), { name: Code })
        failed.set(Key, keyOutcome(Code, Message || Code))
      }
    } catch (error) {
      throw requestError(bucket, waiting[0]!, error, signal)
    }
    requireKnownKeys(bucket, failed, keys)
    const again: Target[] = []
    for (const target of waiting) {
      const outcome = failed.get(target.key) ?? { outcome: 'deleted' }
      outcomes[target.index] = outcome
      if (attempt < keyAttempts && isRetryable(outcome)) again.push(target)
    }
    waiting = again
    if (waiting.length > 0) await sleep(Math.random() * firstDelay * 2 ** attempt, undefined, { signal })
  }
}

/** An error for a key that was not asked about means that the answer cannot be understood. */
function requireKnownKeys(
  bucket: string,
  failed: ReadonlyMap<string, DeleteOutcome>,
  keys: ReadonlySet<string>,
): void {
  for (const [key, outcome] of failed) {
    if (keys.has(key)) continue
    const code = 'code' in outcome ? outcome.code : outcome.outcome
    throw fileError(
      `s3://${bucket}`,
      Object.assign(new Error(`The answer to DeleteObjects names a key that was not sent (${code})`), {
        name: 'UnexpectedAnswer',
      }),
    )
  }
}

async function deleteOne(
  { sdk, client }: Connection,
  target: Target,
  signal: AbortSignal | undefined,
): Promise<DeleteOutcome> {
  const { bucket, key } = s3Parts(target.location)
  try {
    await client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: key }), { abortSignal: signal })
    return { outcome: 'deleted' }
  } catch (error) {
    signal?.throwIfAborted()
    const code = errorCode(error)
    if (code === 'NoSuchBucket') throw fileError(target.location, error)
    return keyOutcome(code, (error as Error).message)
  }
}

function requestError(
  bucket: string,
  first: Target,
  error: unknown,
  signal: AbortSignal | undefined,
): unknown {
  if (signal?.aborted) return signal.reason
  const mapped = fileError(first.location, error)
  // Of a whole batch, a 403 speaks of the request, not of a key.
  return mapped instanceof FileAccessError
    ? new FileAccessError(`s3://${bucket}`, mapped.message, error)
    : mapped
}
