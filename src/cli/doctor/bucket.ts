import { s3Parts } from '../../storage/location.ts'
import type { S3StorageOptions } from '../../storage/options.ts'
import { type Connection, connect } from '../../storage/s3/client.ts'
import { errorCode } from '../../storage/s3/errors.ts'
import { plural } from '../style.ts'
import { type Finding, ok, warning } from './finding.ts'

/** Codes by which stores say that they do not know versioning or object lock at all, or have none configured. */
const notThere = new Set([
  'ObjectLockConfigurationNotFoundError',
  'NoSuchObjectLockConfiguration',
  'NotImplemented',
  'MethodNotAllowed',
])

/** Asks whether what a purge deletes is gone: in a versioned bucket it lives on, and under a lock it has to. */
export async function* checkBucket(storage: S3StorageOptions, location: string): AsyncGenerator<Finding> {
  const { bucket } = s3Parts(location)
  const connection = await connect(storage)
  try {
    yield await checkVersioning(connection, bucket)
    yield await checkLock(connection, bucket)
  } finally {
    connection.client.destroy()
  }
}

async function checkVersioning({ sdk, client }: Connection, bucket: string): Promise<Finding> {
  try {
    const { Status } = await client.send(new sdk.GetBucketVersioningCommand({ Bucket: bucket }))
    if (Status === undefined) return ok('keeps no versions: what is erased is gone')
    return warning(
      Status === 'Enabled'
        ? 'keeps versions: erased files live on as noncurrent versions, and cost as before'
        : 'kept versions once (suspended): files from that time live on as noncurrent versions when they are erased',
      'Set purge.versions: all, or add a lifecycle rule with NoncurrentVersionExpiration and ExpiredObjectDeleteMarker to the bucket.',
    )
  } catch (thrown) {
    return unknown(
      'versioning',
      's3:GetBucketVersioning',
      thrown,
      'keeps no versions, as far as it knows the word',
    )
  }
}

async function checkLock({ sdk, client }: Connection, bucket: string): Promise<Finding> {
  try {
    const command = new sdk.GetObjectLockConfigurationCommand({ Bucket: bucket })
    const { ObjectLockConfiguration: lock } = await client.send(command)
    if (lock?.ObjectLockEnabled !== 'Enabled') return ok('locks no objects')
    const retention = lock.Rule?.DefaultRetention
    return retention === undefined
      ? warning(
          'has object lock, without a default retention',
          'Files with a retention or a legal hold of their own stay until it ends, as noncurrent versions.',
        )
      : warning(
          `locks every new object (${retention.Mode}, ${periodOf(retention)}): until that is over, erasing only hides it`,
          'Use a bucket without default retention for tables that have to be gone when they are purged.',
        )
  } catch (thrown) {
    return unknown('object lock', 's3:GetBucketObjectLockConfiguration', thrown, 'locks no objects')
  }
}

function periodOf({ Days, Years }: { Days?: number | undefined; Years?: number | undefined }): string {
  return Days === undefined ? plural(Years ?? 0, 'year') : plural(Days, 'day')
}

function unknown(what: string, permission: string, thrown: unknown, whenNotThere: string): Finding {
  const code = errorCode(thrown)
  return notThere.has(code)
    ? ok(whenNotThere)
    : warning(`does not say whether it has ${what} (${code})`, `Allow ${permission} to let this be checked.`)
}
