import type { FileInfo, FileVersion } from '../file-io.ts'
import { s3Parts } from '../location.ts'
import type { Connection } from './client.ts'
import { fileError } from './errors.ts'

/** One answer of a listing, and where the next one begins; undefined after the last. */
interface Page<Item, Marker> {
  readonly items: readonly Item[]
  readonly next: Marker | undefined
}

/** Every object below a directory-like location, by pages of 1,000, in the order of the keys' UTF-8 bytes. */
export async function* listObjects(
  { sdk, client }: Connection,
  location: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<FileInfo> {
  const { bucket, prefix } = folderOf(location)
  yield* itemsOf(location, signal, async (token: string | undefined) => {
    const command = new sdk.ListObjectsV2Command({
      ...listing(bucket, prefix),
      ...(token !== undefined && { ContinuationToken: token }),
    })
    const answer = await client.send(command, { abortSignal: signal })
    const decode = decoderOf(answer.EncodingType)
    const items = (answer.Contents ?? []).map(({ Key, Size, LastModified }) => ({
      location: `s3://${bucket}/${decode(Key!)}`,
      size: Size ?? 0,
      modifiedAt: LastModified?.getTime() ?? 0,
    }))
    return { items, next: answer.IsTruncated ? required(answer.NextContinuationToken) : undefined }
  })
}

/** Every version and delete marker below a directory-like location, by pages of 1,000. */
export async function* listObjectVersions(
  { sdk, client }: Connection,
  location: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<FileVersion> {
  const { bucket, prefix } = folderOf(location)
  type Marker = { readonly KeyMarker: string; readonly VersionIdMarker: string | undefined }
  yield* itemsOf(location, signal, async (marker: Marker | undefined) => {
    const command = new sdk.ListObjectVersionsCommand({ ...listing(bucket, prefix), ...marker })
    const answer = await client.send(command, { abortSignal: signal })
    const decode = decoderOf(answer.EncodingType)
    const markers = (answer.DeleteMarkers ?? []).map((each) => ({ ...each, Size: 0 }))
    const items = [...(answer.Versions ?? []), ...markers].map(({ Key, VersionId, Size }) => ({
      location: `s3://${bucket}/${decode(Key!)}`,
      version: VersionId ?? 'null',
      size: Size ?? 0,
    }))
    if (!answer.IsTruncated) return { items, next: undefined }
    const next = {
      KeyMarker: decode(required(answer.NextKeyMarker)),
      VersionIdMarker: answer.NextVersionIdMarker,
    }
    return { items, next }
  })
}

/** Throws as `FileIO.list` does. */
async function* itemsOf<Item, Marker>(
  location: string,
  signal: AbortSignal | undefined,
  ask: (marker: Marker | undefined) => Promise<Page<Item, Marker>>,
): AsyncGenerator<Item> {
  let marker: Marker | undefined
  do {
    let page: Page<Item, Marker>
    try {
      page = await ask(marker)
    } catch (error) {
      signal?.throwIfAborted()
      throw fileError(location, error)
    }
    yield* page.items
    marker = page.next
  } while (marker !== undefined)
}

function folderOf(location: string): { readonly bucket: string; readonly prefix: string } {
  const { bucket, key } = s3Parts(location)
  const folder = key.replace(/\/+$/, '')
  return { bucket, prefix: folder === '' ? '' : `${folder}/` }
}

function listing(bucket: string, prefix: string) {
  // The encoding carries keys that XML cannot.
  return { Bucket: bucket, Prefix: prefix, EncodingType: 'url' } as const
}

function required(marker: string | undefined): string {
  if (marker !== undefined) return marker
  throw Object.assign(new Error('A page is not the last and names no next one.'), { name: 'LostPage' })
}

function decoderOf(encoding: string | undefined): (text: string) => string {
  return encoding === 'url' ? (text) => decodeURIComponent(text.replaceAll('+', ' ')) : (text) => text
}
