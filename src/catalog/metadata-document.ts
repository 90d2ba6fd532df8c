/**
 * A metadata file in both of its forms. An answer to loadTable sends `json` as it is stored, so that a table with
 * ten thousand snapshots is not parsed and printed again; `model` is parsed when first asked for.
 */
export interface MetadataDocument<M> {
  /** The metadata file; null when it is only staged. */
  readonly location: string | null
  /** UTF-8 JSON text, decompressed. */
  readonly json: Buffer
  /** Parsed on first access. Throws BadRequestException for content that is not valid metadata. */
  readonly model: M
}
