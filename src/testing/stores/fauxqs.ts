import { buildApp } from 'fauxqs'
import type { S3StorageOptions } from '../../storage/options.ts'

/** A store under test: how to reach it, and how to end it. */
export interface TestStore {
  readonly storage: S3StorageOptions & { readonly endpoint: string }
  createBucket(name: string): Promise<void>
  close(): Promise<void>
}

/**
 * An S3 server inside this process, over real HTTP on a port of the system's choice. It checks no signatures and knows
 * no conditional writes, versions or locks.
 */
export async function startFauxqs(): Promise<TestStore> {
  const app = await buildApp({ logger: false })
  const endpoint = await app.listen({ port: 0, host: '127.0.0.1' })
  return {
    storage: s3Storage(endpoint, 'test', 'test'),
    createBucket: async (name) => {
      const answer = await fetch(`${endpoint}/${name}`, { method: 'PUT' })
      if (!answer.ok) throw new Error(`Cannot create bucket ${name}: ${answer.status} ${await answer.text()}`)
    },
    close: async () => {
      await app.close()
    },
  }
}

/** Options of a path-style store on this machine. */
export function s3Storage(
  endpoint: string,
  accessKeyId: string,
  secretAccessKey: string,
): S3StorageOptions & { readonly endpoint: string } {
  return {
    type: 's3',
    endpoint,
    region: 'us-east-1',
    pathStyleAccess: true,
    accessKeyId,
    secretAccessKey,
    sessionToken: undefined,
    checksums: 'when_required',
  }
}
