import type { FileIO } from './file-io.ts'
import { LocalFileIO } from './local/local-file-io.ts'
import type { StorageOptions } from './options.ts'
import { S3FileIO } from './s3/s3-file-io.ts'

/**
 * The files of a warehouse. Nothing is contacted yet; the AWS SDK is loaded by the first request. A local storage
 * touches nothing outside of `warehouseLocation` and its allowed locations.
 *
 * @throws InvalidLocationError for a location that the storage cannot serve.
 */
export function openFileIO(storage: StorageOptions, warehouseLocation: string): FileIO {
  switch (storage.type) {
    case 'local':
      return new LocalFileIO([warehouseLocation, ...storage.allowedLocations])
    case 's3':
      return new S3FileIO(storage)
  }
}
