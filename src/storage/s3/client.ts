import type { S3Client } from '@aws-sdk/client-s3'
import type { S3StorageOptions } from '../options.ts'
import { requireAnswers } from './answers.ts'

/** Connections to the store, at most, per warehouse. */
const maxSockets = 64

export type Sdk = typeof import('@aws-sdk/client-s3')

export interface Connection {
  readonly sdk: Sdk
  readonly client: S3Client
}

/** Loads the AWS SDK, which takes a good part of a second, and makes a client. */
export async function connect(options: S3StorageOptions): Promise<Connection> {
  const sdk = await import('@aws-sdk/client-s3')
  const { accessKeyId, secretAccessKey, sessionToken } = options
  const checksums = options.checksums === 'when_supported' ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED'
  const client = new sdk.S3Client({
    region: options.region,
    forcePathStyle: options.pathStyleAccess,
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    maxAttempts: 5,
    retryMode: 'standard',
    requestHandler: {
      connectionTimeout: 5_000,
      requestTimeout: 60_000,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets },
      httpsAgent: { keepAlive: true, maxSockets },
    },
    ...(options.endpoint !== undefined && { endpoint: options.endpoint }),
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && {
        credentials: {
          accessKeyId,
          secretAccessKey,
          ...(sessionToken !== undefined && { sessionToken }),
        },
      }),
  })
  requireAnswers(client)
  return { sdk, client }
}
