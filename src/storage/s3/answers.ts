import { Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'
import { withIdleLimit } from './idle-limit.ts'

/** What the SDK's middleware has of an answer, before it is parsed. */
export interface Answer {
  statusCode: number
  readonly headers: Readonly<Record<string, string>>
  body: Readable
}

const roots: Readonly<Record<string, string>> = {
  DeleteObjectsCommand: '<DeleteResult',
  ListObjectsV2Command: '<ListBucketResult',
  ListObjectVersionsCommand: '<ListVersionsResult',
}

/**
 * Reads an answer whole. One of status 200 that lacks the element which it must consist of, a proxy's page or an empty
 * body, is none: the SDK would read it as "nothing failed" or "nothing is there", and files would count as erased that
 * nobody has touched. It becomes a 503, which the SDK retries.
 *
 * @param command name of the command that is answered: `DeleteObjectsCommand`.
 * @param idleLimit milliseconds without a byte.
 */
export async function wholeAnswer(answer: Answer, command: string, idleLimit: number): Promise<Buffer> {
  const body = Buffer.concat(await Array.fromAsync(withIdleLimit(answer.body, idleLimit)))
  const root = roots[command]
  if (answer.statusCode === 200 && root !== undefined && !body.includes(root)) answer.statusCode = 503
  return body
}

/** Reads all answers by {@link wholeAnswer} but objects, which are streamed. */
export function requireAnswers(client: S3Client, idleLimit: number): void {
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        const result = await next(args)
        const answer = result.response as Answer
        if (commandName === 'GetObjectCommand' && answer.statusCode < 300) return result
        answer.body = Readable.from([await wholeAnswer(answer, commandName, idleLimit)])
        return result
      },
    { step: 'deserialize', priority: 'low', name: 'requireAnswers' },
  )
}
