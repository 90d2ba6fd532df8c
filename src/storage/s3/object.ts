import { InvalidLocationError } from '../file-io.ts'
import { s3Parts } from '../location.ts'

/** Bucket and literal key of a file. Throws InvalidLocationError for a bucket alone. */
export function objectOf(location: string): { readonly bucket: string; readonly key: string } {
  const parts = s3Parts(location)
  if (parts.key === '') throw new InvalidLocationError(location, `Names a bucket, not a file: ${location}`)
  return parts
}
