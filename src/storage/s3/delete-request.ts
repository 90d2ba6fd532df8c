/**
 * One DeleteObjects request. The AWS SDK resolves, signs, sends and retries it; its XML is ours, because building an
 * object for each key and walking schemas over it costs three times what everything else does.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { DeleteObjectsCommandOutput } from '@aws-sdk/client-s3'
import { type Answer, wholeAnswer } from './answers.ts'
import type { Connection } from './client.ts'
import { aroundAnswer, type OnThrottle, reportThrottling } from './throttling.ts'

export interface DoomedObject {
  readonly key: string
  /** The version that is to go for good; undefined for the current one. */
  readonly version: string | undefined
}

export interface DeleteRequestOptions {
  readonly signal?: AbortSignal | undefined
  readonly onThrottle?: OnThrottle | undefined
}

/**
 * Asks for the deletion of objects of one bucket, at most 1,000, whose keys XML can carry. Gives what the store says
 * did not succeed. Throws the SDK's errors, when its own retries are used up.
 */
export async function sendDeleteObjects(
  { sdk, client, idleLimit }: Connection,
  bucket: string,
  objects: readonly DoomedObject[],
  options: DeleteRequestOptions,
): Promise<NonNullable<DeleteObjectsCommandOutput['Errors']>> {
  // As bytes, because four of those who handle it would each encode the text.
  const body = Buffer.from(deletionOf(objects))
  const command = new sdk.DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: [] } })
  command.middlewareStack.add(
    (next) => async (args) => {
      const request = args.request as { body: Buffer; headers: Record<string, string> }
      request.body = body
      // The SDK adds a CRC, which older S3-compatible stores do not know; Content-MD5 is known to every store.
      request.headers['content-md5'] = createHash('md5').update(body).digest('base64')
      return await next(args)
    },
    { step: 'serialize', priority: 'low', name: 'bodyOfDeleteObjects' },
  )
  // Around the one that reads the answer, which may stop half-way.
  command.middlewareStack.add((next) => reportThrottling(next, options.onThrottle), aroundAnswer)
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const answer = result.response as Answer
      if (answer.statusCode === 200) {
        const text = await wholeAnswer(answer, 'DeleteObjectsCommand', idleLimit)
        answer.body = Readable.from([withoutDeleted(text)])
      }
      return result
    },
    { step: 'deserialize', priority: 'low', name: 'answerToDeleteObjects' },
  )
  const { Errors = [] } = await client.send(command, { abortSignal: options.signal })
  return Errors
}

/** The body of the request, as the reference of the S3 API has it. */
function deletionOf(objects: readonly DoomedObject[]): string {
  let xml = '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>'
  for (const { key, version } of objects) {
    const versionId = version === undefined ? '' : `<VersionId>${escaped(version)}</VersionId>`
    xml += `<Object><Key>${escaped(key)}</Key>${versionId}</Object>`
  }
  return `${xml}</Delete>`
}

/** Some stores do not know `Quiet`, and name all that went well: parsing that costs more than all the rest. */
function withoutDeleted(answer: Buffer): Buffer {
  if (!answer.includes('<Deleted>')) return answer
  return Buffer.from(answer.toString().replaceAll(/<Deleted>.*?<\/Deleted>/gs, ''))
}

function escaped(key: string): string {
  if (!/[&<>]/.test(key)) return key
  return key.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
