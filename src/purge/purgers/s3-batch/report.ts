/** The completion report of a job, which lists the tasks that failed. */
import { pipeline } from 'node:stream/promises'
import { parse } from 'csv-parse'
import { type FileIO, FileNotFoundError } from '../../../storage/file-io.ts'
import { keyOutcome } from '../../../storage/s3/errors.ts'
import { type PathFailure, RetryablePurgeError } from '../../purger.ts'

/** Bytes of the file that names the lists. */
const maxIndexSize = 1024 * 1024
const anHttpStatus = /^[1-5]\d\d$/

/** The report is not where it should be. */
export class NoReportError extends RetryablePurgeError {
  override readonly name = 'NoReportError'
}

interface Index {
  readonly Results?: readonly {
    readonly TaskExecutionStatus?: string
    readonly Bucket?: string
    readonly Key?: string
  }[]
}

/**
 * The failures that the report of a job names, up to `limit` of them. `reports` is the place that the job was told to write it
 * to; nothing is read elsewhere. Throws {@link NoReportError} when it is not there, which it is as soon as a task was done;
 * RetryablePurgeError, and the storage's errors.
 */
export async function failedTasks(
  io: FileIO,
  reports: string,
  jobId: string,
  limit: number,
  signal: AbortSignal,
): Promise<PathFailure[]> {
  const folder = `${reports}/job-${jobId}`
  const failures: PathFailure[] = []
  for (const list of await failureLists(io, folder, signal)) {
    const rows = parse({
      record_delimiter: ['\r\n', '\n'],
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
    })
    await pipeline(io.readStream(list, { signal }), rows, async (parsed: AsyncIterable<string[]>) => {
      for await (const row of parsed) {
        const failure = failures.length < limit ? failureOf(row) : undefined
        if (failure) failures.push(failure)
      }
    })
  }
  return failures
}

/** Undefined for an object that was not there: it need not be erased any more. */
function failureOf([bucket, key = '', , , ...result]: string[]): PathFailure | undefined {
  // The schema that a report states has the code before the status, its rows have the status first.
  const [first = '', second = '', text = ''] = result
  const [status, error] = anHttpStatus.test(first) ? [first, second] : [second, first]
  const code = codeOf(error, text)
  const outcome = keyOutcome(status === '403' ? 'AccessDenied' : code, text)
  if (outcome.outcome === 'absent' || outcome.outcome === 'deleted') return undefined
  const path = `s3://${bucket}/${decoded(key)}`
  return { path, stage: 'data', outcome: outcome.outcome, code: code || 'Unknown', message: text || error }
}

/** The store's; of a function, whose results have codes of their own, what its text begins with, as that of ours does. */
function codeOf(error: string, text: string): string {
  if (error !== '' && error !== 'PermanentFailure' && error !== 'TemporaryFailure') return error
  const [, code = error] = /^(?:Lambda[^:]*: )?([A-Z][A-Za-z]+): /.exec(text) ?? []
  return code
}

/** Of a key, percent-encoded as in the manifest, or by the service, for whom a space may be a plus sign. */
function decoded(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch (error) {
    if (error instanceof URIError) return key
    throw error
  }
}

async function failureLists(io: FileIO, folder: string, signal: AbortSignal): Promise<string[]> {
  const location = `${folder}/manifest.json`
  let index: Index
  try {
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of io.readStream(location, { signal })) {
      size += chunk.length
      if (size > maxIndexSize) throw new RetryablePurgeError(`The completion report is no such: ${location}`)
      chunks.push(chunk)
    }
    index = JSON.parse(Buffer.concat(chunks).toString()) as Index
  } catch (error) {
    if (error instanceof FileNotFoundError) {
      throw new NoReportError(`The completion report is not there yet: ${location}`, { cause: error })
    }
    if (!(error instanceof SyntaxError)) throw error
    throw new RetryablePurgeError(`The completion report is no JSON: ${location}`, { cause: error })
  }
  const lists = (index.Results ?? []).filter(({ TaskExecutionStatus }) => TaskExecutionStatus === 'failed')
  return lists.map(({ Bucket, Key }) => {
    const list = `s3://${Bucket}/${Key}`
    if (list.startsWith(`${folder}/`)) return list
    throw new RetryablePurgeError(`The completion report ${location} names a list elsewhere: ${list}`)
  })
}
