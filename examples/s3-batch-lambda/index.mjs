// Deletes the objects of a job of S3 Batch Operations: a Lambda function for Node.js 22 or later, whose runtime brings the SDK.
// Invocation schema 2.0, the answer as the service wants it. What cannot be deleted is reported by the store's own code.
import { DeleteObjectCommand, S3Client } from '@aws-sdk/client-s3'

const client = new S3Client({})
/** Whatever else is asked to be tried again by the service, a few times. */
const passing = /^(?:SlowDown|InternalError|ServiceUnavailable|RequestTimeout|Throttling)/

export const handler = async (event) => makeHandler(client)(event)

/** @param store the S3Client that deletes. */
export function makeHandler(store) {
  return async ({ invocationSchemaVersion, invocationId, tasks }) => ({
    invocationSchemaVersion,
    invocationId,
    // A task without a result has failed.
    treatMissingKeysAs: 'PermanentFailure',
    results: await Promise.all(tasks.map((task) => erase(store, task))),
  })
}

async function erase(store, { taskId, s3Bucket, s3Key }) {
  try {
    // The key comes percent-encoded; a plus sign of its own would come as %2B.
    const key = decodeURIComponent(s3Key.replaceAll('+', ' '))
    const command = new DeleteObjectCommand({ Bucket: s3Bucket, Key: key })
    await store.send(command)
    return { taskId, resultCode: 'Succeeded', resultString: '' }
  } catch (error) {
    const code = error.Code ?? error.name
    const resultCode = passing.test(code) ? 'TemporaryFailure' : 'PermanentFailure'
    return { taskId, resultCode, resultString: `${code}: ${error.message}`.slice(0, 1024) }
  }
}
