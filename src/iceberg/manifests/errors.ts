/** The bytes are not what an Avro file of this schema holds: cut short, damaged, or something else altogether. */
export class CorruptManifestError extends Error {
  override readonly name = 'CorruptManifestError'
}

/** A manifest that this version refuses rather than guesses: Parquet (format version 4), an unknown codec. */
export class UnsupportedManifestError extends Error {
  override readonly name = 'UnsupportedManifestError'
}
