import { setTimeout as sleep } from 'node:timers/promises'
import { FileExistsError } from '../file-io.ts'
import type { Connection } from './client.ts'
import { errorCode, fileError } from './errors.ts'
import { objectOf } from './object.ts'
import { readObject } from './read.ts'

/** Requests while another conditional write of the same key is in progress. */
const conflictAttempts = 5

/** Puts an object; with `ifAbsent` only where there is none (`If-None-Match: *`). Throws as `FileIO.write` does. */
export async function writeObject(
  connection: Connection,
  location: string,
  bytes: Uint8Array,
  { ifAbsent = false, signal }: { ifAbsent?: boolean; signal?: AbortSignal },
): Promise<void> {
  const { bucket, key } = objectOf(location)
  const command = new connection.sdk.PutObjectCommand({
    Bucket: bucket,
    Key: key,
    Body: bytes,
    ...(ifAbsent && { IfNoneMatch: '*' }),
  })
  for (let attempt = 1; ; attempt++) {
    try {
      await connection.client.send(command, { abortSignal: signal })
      return
    } catch (error) {
      signal?.throwIfAborted()
      if (errorCode(error) === 'ConditionalRequestConflict' && attempt < conflictAttempts) {
        await sleep(Math.random() * 100 * 2 ** attempt, undefined, { signal })
        continue
      }
      const mapped = fileError(location, error)
      const again = attempt > 1 || wasRepeated(error)
      if (mapped instanceof FileExistsError && again && (await holds(connection, location, bytes))) return
      throw mapped
    }
  }
}

/** Whether the SDK sent the request more than once: an earlier one may have been done, and its answer lost. */
function wasRepeated(error: unknown): boolean {
  return ((error as { $metadata?: { attempts?: number } }).$metadata?.attempts ?? 1) > 1
}

async function holds(connection: Connection, location: string, bytes: Uint8Array): Promise<boolean> {
  const found = await Array.fromAsync(readObject(connection, location, {}))
  return Buffer.concat(found).equals(bytes)
}
