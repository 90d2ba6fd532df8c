const magic = Buffer.from('PFA1')

/**
 * A Puffin file with one blob, as engines write them for statistics: magic, blob, and a footer of magic, JSON payload,
 * its length, flags, magic. (Iceberg's Puffin specification.)
 */
export function puffin(snapshotId: bigint, sequenceNumber: number, blob: Buffer) {
  const payload = Buffer.from(
    `{"blobs":[{"type":"apache-datasketches-theta-v1","fields":[1],"snapshot-id":${snapshotId},"sequence-number":${sequenceNumber},"offset":${magic.length},"length":${blob.length}}],"properties":{"created-by":"moulin demo"}}`,
  )
  const tail = Buffer.alloc(8)
  tail.writeInt32LE(payload.length)
  const footer = Buffer.concat([magic, payload, tail, magic])
  return { bytes: Buffer.concat([magic, blob, footer]), footerLength: footer.length }
}
