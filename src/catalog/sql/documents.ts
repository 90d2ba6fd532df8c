import { badRequest, IcebergError } from '../../iceberg/errors.ts'
import { decodeMetadataFile } from '../../iceberg/metadata/parse.ts'
import {
  FileAccessError,
  type FileIO,
  FileNotFoundError,
  FileTooLargeError,
  InvalidLocationError,
} from '../../storage/file-io.ts'
import type { MetadataDocument } from '../metadata-document.ts'

/** Largest metadata file that is read, bytes as stored. */
const maxFileBytes = 256 * 1024 * 1024

/** A document counts as this many times its text: the model that is parsed from it may be kept beside it. */
const modelWeight = 4

/** A metadata document whose model is parsed when first asked for. */
export class LazyDocument<M> implements MetadataDocument<M> {
  readonly location: string | null
  readonly json: Buffer
  readonly #parse: (json: Buffer) => M
  #model: M | undefined

  constructor(location: string | null, json: Buffer, parse: (json: Buffer) => M, model?: M) {
    this.location = location
    this.json = json
    this.#parse = parse
    this.#model = model
  }

  get model(): M {
    this.#model ??= this.#parse(this.json)
    return this.#model
  }
}

/**
 * Metadata documents by location: files are immutable, so a cached one is right for ever. Bounded in bytes, least
 * recently used first out. Where asking the store is cheap, a hit still checks that the file exists: a table whose
 * metadata is gone must say so.
 */
export class DocumentCache {
  readonly #io: FileIO
  readonly #maxBytes: number
  readonly #documents = new Map<string, MetadataDocument<unknown>>()
  readonly #loading = new Map<string, Promise<Buffer>>()
  #bytes = 0

  /** @param maxBytes bound of text and models together, estimated. */
  constructor(io: FileIO, maxBytes = 256 * 1024 * 1024) {
    this.#io = io
    this.#maxBytes = maxBytes
  }

  /**
   * Throws NotFoundException when the file is gone, ForbiddenException when the store refuses, BadRequestException
   * for a location that cannot be or a file too large. The content is checked when `model` is asked for.
   */
  async load<M>(location: string, parse: (json: Buffer) => M): Promise<MetadataDocument<M>> {
    const cached = this.#documents.get(location)
    if (cached) {
      if (this.#io.capabilities.cheapStat && (await this.#io.stat(location)) === undefined) {
        this.#forget(location)
        throw missingFile(location)
      }
      // Most recently used goes to the end; it may have been forgotten meanwhile.
      this.put(cached)
      return cached as MetadataDocument<M>
    }
    const document = new LazyDocument(location, await this.#read(location), parse)
    this.put(document)
    return document
  }

  /**
   * As {@link load}, but asks the store, whatever is remembered or on its way: the file was there after this call
   * began. For a location that no live entry vouches for.
   */
  async reload<M>(location: string, parse: (json: Buffer) => M): Promise<MetadataDocument<M>> {
    this.#forget(location)
    const document = new LazyDocument(location, await readMetadataFile(this.#io, location), parse)
    this.put(document)
    return document
  }

  /** Keeps a document that has a location. */
  put(document: MetadataDocument<unknown>): void {
    const { location } = document
    if (location === null) return
    this.#forget(location)
    const size = weight(document)
    if (size > this.#maxBytes / 4) return
    this.#documents.set(location, document)
    this.#bytes += size
    for (const oldest of this.#documents.keys()) {
      if (this.#bytes <= this.#maxBytes) break
      this.#forget(oldest)
    }
  }

  #forget(location: string): void {
    const document = this.#documents.get(location)
    if (!document) return
    this.#documents.delete(location)
    this.#bytes -= weight(document)
  }

  /** Reads a file once, however many ask for it at the same time. */
  async #read(location: string): Promise<Buffer> {
    const loading = this.#loading.get(location)
    if (loading) return await loading
    const reading = readMetadataFile(this.#io, location)
    this.#loading.set(location, reading)
    try {
      return await reading
    } finally {
      this.#loading.delete(location)
    }
  }
}

function weight(document: MetadataDocument<unknown>): number {
  return document.json.length * modelWeight
}

/** The text of a metadata file, decompressed. Throws as {@link DocumentCache.load}. */
async function readMetadataFile(io: FileIO, location: string): Promise<Buffer> {
  try {
    const json = decodeMetadataFile(await io.read(location, { maxBytes: maxFileBytes }), location)
    if (!looksComplete(json)) throw badRequest(`Not a metadata file, or cut short: ${location}`)
    return json
  } catch (error) {
    throw answerTo(error, location)
  }
}

/** Whether a metadata file is there. Throws as {@link DocumentCache.load} where the store cannot be asked. */
export async function metadataFileExists(io: FileIO, location: string): Promise<boolean> {
  try {
    return (await io.stat(location)) !== undefined
  } catch (error) {
    throw answerTo(error, location)
  }
}

function answerTo(error: unknown, location: string): unknown {
  if (error instanceof FileNotFoundError) return missingFile(location, error)
  if (error instanceof FileTooLargeError || error instanceof InvalidLocationError) {
    return badRequest(error.message, error)
  }
  if (error instanceof FileAccessError) {
    return new IcebergError('ForbiddenException', error.message, { cause: error })
  }
  return error
}

/** The text goes into answers unparsed; a file cut short must not. */
function looksComplete(json: Buffer): boolean {
  return (
    /^\s*\{/.test(json.toString('latin1', 0, 64)) && /\}\s*$/.test(json.toString('latin1', json.length - 64))
  )
}

/** The answer to an entry, or a registration, whose metadata file is gone. */
export function missingFile(location: string, cause?: unknown): IcebergError {
  return new IcebergError('NotFoundException', `Failed to open input stream for file: ${location}`, { cause })
}
