import { Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'

/** The element that the answer must consist of, for the commands whose empty answer would be taken for good news. */
const roots: Readonly<Record<string, string>> = {
  DeleteObjectsCommand: '<DeleteResult',
  ListObjectsV2Command: '<ListBucketResult',
}

/**
 * A proxy's page or an empty body with status 200 is no answer: the SDK would read it as "nothing failed" or "nothing
 * is there", and files would count as erased that nobody has touched. It becomes a 503, which the SDK retries.
 */
export function requireAnswers(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args)
      const root = roots[context.commandName ?? '']
      const response = result.response as { statusCode: number; body: AsyncIterable<Uint8Array> }
      if (root === undefined || response.statusCode !== 200) return result
      const body = Buffer.concat(await Array.fromAsync(response.body))
      if (!body.includes(root)) response.statusCode = 503
      response.body = Readable.from([body])
      return result
    },
    { step: 'deserialize', priority: 'low', name: 'requireAnswers' },
  )
}
