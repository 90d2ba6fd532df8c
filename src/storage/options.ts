/** What a storage is opened with: the configuration's `warehouses.<name>.storage`. */
export type StorageOptions = LocalStorageOptions | S3StorageOptions

export interface LocalStorageOptions {
  readonly type: 'local'
  /**
   * Files outside of the warehouse's location and of these are never read, written or deleted.
   *
   * @default []
   */
  readonly allowedLocations: readonly string[]
}

export interface S3StorageOptions {
  readonly type: 's3'
  readonly endpoint: string | undefined
  /** @default "us-east-1" */
  readonly region: string
  /** @default false */
  readonly pathStyleAccess: boolean
  /** With neither key, the AWS SDK's own chain of providers is asked: at every attempt at a purge, and when the store refuses the credentials. */
  readonly accessKeyId: string | undefined
  readonly secretAccessKey: string | undefined
  readonly sessionToken: string | undefined
  /**
   * `when_required` for stores that know no CRC checksums.
   *
   * @default "when_required"
   */
  readonly checksums: 'when_required' | 'when_supported'
}
