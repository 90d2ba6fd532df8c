import type { FileInfo, FileVersion } from '../file-io.ts'
import { s3Parts } from '../location.ts'
import type { Connection } from './client.ts'
import { fileError } from './errors.ts'

/** Every object below a directory-like location, by pages of 1,000, in the order of the keys' UTF-8 bytes. */
export async function* listObjects(
  { sdk, client }: Connection,
  location: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<FileInfo> {
  const { bucket, key } = s3Parts(location)
  const folder = key.replace(/\/+$/, '')
  let token: string | undefined
  do {
    const command = new sdk.ListObjectsV2Command({
      Bucket: bucket,
      Prefix: folder === '' ? '' : `${folder}/`,
      // Carries keys that XML cannot.
      EncodingType: 'url',
      ...(token !== undefined && { ContinuationToken: token }),
    })
    try {
      const answer = await client.send(command, { abortSignal: signal })
      const decode = answer.EncodingType === 'url' ? decodeKey : (text: string) => text
      for (const object of answer.Contents ?? []) {
        yield {
          location: `s3://${bucket}/${decode(object.Key!)}`,
          size: object.Size ?? 0,
          modifiedAt: object.LastModified?.getTime() ?? 0,
        }
      }
      if (answer.IsTruncated && answer.NextContinuationToken === undefined) {
        throw Object.assign(new Error('A page is not the last and names no next one.'), { name: 'LostPage' })
      }
      token = answer.IsTruncated ? answer.NextContinuationToken : undefined
    } catch (error) {
      signal?.throwIfAborted()
      throw fileError(location, error)
    }
  } while (token !== undefined)
}

/** Every version and delete marker below a directory-like location, by pages of 1,000. */
export async function* listObjectVersions(
  { sdk, client }: Connection,
  location: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<FileVersion> {
  const { bucket, key } = s3Parts(location)
  const folder = key.replace(/\/+$/, '')
  let next:
    | { readonly KeyMarker: string | undefined; readonly VersionIdMarker: string | undefined }
    | undefined
  do {
    const command = new sdk.ListObjectVersionsCommand({
      Bucket: bucket,
      Prefix: folder === '' ? '' : `${folder}/`,
      EncodingType: 'url',
      ...next,
    })
    try {
      const answer = await client.send(command, { abortSignal: signal })
      const decode = answer.EncodingType === 'url' ? decodeKey : (text: string) => text
      for (const { Key, VersionId = 'null', Size = 0 } of [
        ...(answer.Versions ?? []),
        ...(answer.DeleteMarkers ?? []).map((marker) => ({ ...marker, Size: 0 })),
      ]) {
        yield { location: `s3://${bucket}/${decode(Key!)}`, version: VersionId, size: Size }
      }
      if (answer.IsTruncated && answer.NextKeyMarker === undefined) {
        throw Object.assign(new Error('A page is not the last and names no next one.'), { name: 'LostPage' })
      }
      next = answer.IsTruncated
        ? { KeyMarker: decode(answer.NextKeyMarker!), VersionIdMarker: answer.NextVersionIdMarker }
        : undefined
    } catch (error) {
      signal?.throwIfAborted()
      throw fileError(location, error)
    }
  } while (next !== undefined)
}

function decodeKey(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}
