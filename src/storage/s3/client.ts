import type { S3Client } from '@aws-sdk/client-s3'
import type { S3StorageOptions } from '../options.ts'
import { requireAnswers } from './answers.ts'
import { RenewableCredentials, repeatRefused } from './credentials.ts'
import { RefusedBatches } from './refused-batches.ts'

/** Connections to the store, at most, per warehouse. */
const maxSockets = 64

export type Sdk = typeof import('@aws-sdk/client-s3')

export interface ConnectionOptions extends S3StorageOptions {
  /** Milliseconds from a request, its body included, to the beginning of its answer. @default 60000 */
  readonly answerTimeout?: number
  /** Milliseconds without a byte within an answer. @default 20000 */
  readonly idleLimit?: number
}

export interface Connection {
  readonly sdk: Sdk
  readonly client: S3Client
  /** Milliseconds without a byte within an answer. */
  readonly idleLimit: number
  readonly refusedBatches: RefusedBatches
  /** Undefined where the configuration holds the keys. */
  readonly credentials: RenewableCredentials | undefined
}

/** Loads the AWS SDK, which takes a good part of a second, and makes a client. */
export async function connect(options: ConnectionOptions): Promise<Connection> {
  const sdk = await import('@aws-sdk/client-s3')
  const { accessKeyId, secretAccessKey, sessionToken, idleLimit = 20_000 } = options
  const checksums = options.checksums === 'when_supported' ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED'
  const isConfigured = accessKeyId !== undefined && secretAccessKey !== undefined
  const chain = isConfigured ? undefined : await import('@aws-sdk/credential-provider-node')
  const credentials =
    chain &&
    new RenewableCredentials(async () => {
      const ask = chain.defaultProvider({ ignoreCache: true, parentClientConfig: { ...client.config } })
      return await ask({ callerClientConfig: client.config })
    })
  const client: S3Client = new sdk.S3Client({
    region: options.region,
    forcePathStyle: options.pathStyleAccess,
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    maxAttempts: 5,
    retryMode: 'standard',
    requestHandler: {
      connectionTimeout: 5_000,
      requestTimeout: options.answerTimeout ?? 60_000,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets },
      httpsAgent: { keepAlive: true, maxSockets },
    },
    ...(options.endpoint !== undefined && { endpoint: options.endpoint }),
    credentials: credentials
      ? // The mark keeps the SDK from remembering what it got.
        Object.assign(() => credentials.resolve(), { memoized: true })
      : {
          accessKeyId: accessKeyId!,
          secretAccessKey: secretAccessKey!,
          ...(sessionToken !== undefined && { sessionToken }),
        },
  })
  requireAnswers(client, idleLimit)
  if (credentials) repeatRefused(client, credentials)
  return { sdk, client, idleLimit, refusedBatches: new RefusedBatches(), credentials }
}
