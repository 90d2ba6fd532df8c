import type { StoreSettings } from '../file-io.ts'
import { s3Parts } from '../location.ts'
import type { Connection } from './client.ts'
import { errorCode } from './errors.ts'

/** Codes by which stores say that they do not know versioning or object lock at all, or have none configured. */
const notThere = new Set([
  'ObjectLockConfigurationNotFoundError',
  'NoSuchObjectLockConfiguration',
  'NotImplemented',
  'MethodNotAllowed',
])

/** Whether deleted objects of the location's bucket are gone: in a versioned bucket they live on, under a lock they must. */
export async function bucketSettings(connection: Connection, location: string): Promise<StoreSettings> {
  const { bucket } = s3Parts(location)
  const { sdk, client } = connection
  const versioning = await asked(async () => {
    const { Status } = await client.send(new sdk.GetBucketVersioningCommand({ Bucket: bucket }))
    if (Status === undefined) return 'off'
    return Status === 'Enabled' ? 'enabled' : 'suspended'
  })
  const objectLock = await asked(async () => {
    const command = new sdk.GetObjectLockConfigurationCommand({ Bucket: bucket })
    const { ObjectLockConfiguration: lock } = await client.send(command)
    return lock?.ObjectLockEnabled === 'Enabled' ? 'enabled' : 'off'
  })
  return { container: `s3://${bucket}`, versioning, objectLock }
}

/** A store that may not be asked does not stop a purge: the answer is that it is unknown. */
async function asked<T>(question: () => Promise<T>): Promise<T | 'off' | 'unknown'> {
  try {
    return await question()
  } catch (error) {
    return notThere.has(errorCode(error)) ? 'off' : 'unknown'
  }
}
