declare module 'snappyjs' {
  /** Raw snappy, without framing. Throws for more than `maxLength` bytes of output. */
  export function uncompress(compressed: Uint8Array, maxLength?: number): Uint8Array
  export function compress(uncompressed: Uint8Array): Uint8Array
  const snappy: { uncompress: typeof uncompress; compress: typeof compress }
  export default snappy
}
