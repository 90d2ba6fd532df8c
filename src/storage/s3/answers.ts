import { Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'

/** What the SDK's middleware has of an answer, before it is parsed. */
export interface Answer {
  statusCode: number
  readonly headers: Readonly<Record<string, string>>
  body: AsyncIterable<Uint8Array>
}

/**
 * Reads an answer of status 200 whole. A proxy's page or an empty body is none: the SDK would read it as "nothing
 * failed" or "nothing is there", and files would count as erased that nobody has touched. It becomes a 503, which the
 * SDK retries.
 *
 * @param root of the element that it must consist of: `<DeleteResult`.
 */
export async function wholeAnswer(answer: Answer, root: string): Promise<Buffer> {
  const body = Buffer.concat(await Array.fromAsync(answer.body))
  if (!body.includes(root)) answer.statusCode = 503
  return body
}

const roots: Readonly<Record<string, string>> = {
  ListObjectsV2Command: '<ListBucketResult',
  ListObjectVersionsCommand: '<ListVersionsResult',
}

/** Reads listings by {@link wholeAnswer}. */
export function requireAnswers(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args)
      const answer = result.response as Answer
      const root = roots[context.commandName ?? '']
      if (root === undefined || answer.statusCode !== 200) return result
      answer.body = Readable.from([await wholeAnswer(answer, root)])
      return result
    },
    { step: 'deserialize', priority: 'low', name: 'requireAnswers' },
  )
}
