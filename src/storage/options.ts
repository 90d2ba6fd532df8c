/** What a storage is opened with; the configuration's sections have the same shape. */
export type StorageOptions = LocalStorageOptions | S3StorageOptions

export interface LocalStorageOptions {
  readonly type: 'local'
  /** Places beside the warehouse's own location that may be touched. */
  readonly allowedLocations: readonly string[]
}

export interface S3StorageOptions {
  readonly type: 's3'
  readonly endpoint: string | undefined
  readonly region: string
  readonly pathStyleAccess: boolean
  /** With neither key, the AWS SDK's own chain of providers is asked, afresh whenever credentials expire. */
  readonly accessKeyId: string | undefined
  readonly secretAccessKey: string | undefined
  readonly sessionToken: string | undefined
  readonly checksums: 'when_required' | 'when_supported'
}
