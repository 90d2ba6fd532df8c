/** A client process: deletes given keys by DeleteObjects of the AWS SDK, and nothing else. */
import { DeleteObjectsCommand, S3Client } from '@aws-sdk/client-s3'
import { mapBounded } from '../../src/storage/concurrency.ts'
import { measured } from './measured.ts'

const batchSize = 1_000
const inFlight = 8

await measured(async ({ endpoint, keys }: { endpoint: string; keys: readonly string[] }) => {
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })
  const batches = Array.from({ length: Math.ceil(keys.length / batchSize) }, (_, index) =>
    keys.slice(index * batchSize, (index + 1) * batchSize),
  )
  return async () => {
    await mapBounded(batches, inFlight, async (batch) => {
      const Objects = batch.map((Key) => ({ Key }))
      await client.send(new DeleteObjectsCommand({ Bucket: 'lake', Delete: { Objects, Quiet: true } }))
    })
    client.destroy()
  }
})
