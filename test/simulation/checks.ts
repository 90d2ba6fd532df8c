import { createHash } from 'node:crypto'
import type { Certificate } from '../../src/purge/certificate/certificate.ts'
import type { Table, World } from './simulate.ts'

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest()

/** Compares the store with what must be there, and the ledger with what happened. */
export async function checkWorld(world: World): Promise<string[]> {
  const wrongs = [...new Set(world.wrongs)]
  for (const table of world.tables) {
    if (table.purge === undefined) {
      wrongs.push(...missing(world, table, 'lives'))
      continue
    }
    const record = await world.ledger.get(table.purge)
    if (!record) {
      wrongs.push(`${table.name}: its purge is gone from the ledger`)
    } else if (record.state === 'succeeded') {
      const sealed = await world.ledger.certificate(table.purge)
      wrongs.push(...leaks(world, table))
      if (sealed) wrongs.push(...account(table, sealed.certificate))
      else wrongs.push(`${table.name}: succeeded without a certificate`)
    } else if (record.state === 'cancelled' || record.heldBy === 'guard') {
      wrongs.push(...(mayBeErased(world, table) ? [] : missing(world, table, `is ${record.state}`)))
    } else if (
      record.state !== 'failed' ||
      !(table.broken || (await isErasedByTwin(world.ledger, world.tables, table)))
    ) {
      wrongs.push(`${table.name}: ended as ${record.state}: ${record.lastError ?? record.holdReason}`)
    }
  }
  return wrongs
}

function missing({ before, store }: World, table: Table, why: string): string[] {
  return [...before.keys()]
    .filter((path) => holds(table, path) && !store.files.get(path)?.equals(before.get(path)!))
    .map((path) => `${table.name} ${why}, but ${path} is gone or changed`)
}

/** A table with the same files was purged: this one's purge finds no root, and says so. */
export async function isErasedByTwin(
  ledger: World['ledger'],
  tables: readonly Table[],
  table: Table,
): Promise<boolean> {
  for (const { purge, written } of tables) {
    if (purge === undefined || purge === table.purge || written !== table.written) continue
    if ((await ledger.get(purge))?.begunAt !== undefined) return true
  }
  return false
}

/** Nobody holds the files of a cancelled purge: another table's may name them, or sweep around them. */
function mayBeErased(world: World, table: Table): boolean {
  const { location } = table.written.metadata
  return world.tables.some(
    (other) =>
      other !== table &&
      (other.written.metadata.location.startsWith(location) ||
        location.startsWith(other.written.metadata.location) ||
        other.borrowed.some((path) => holds(table, path))),
  )
}

/** A table holds what it has written itself, and what lies deeper in its folder than in anybody else's. */
function holds(table: Table, path: string): boolean {
  return Object.values(table.written.files).flat().includes(path)
}

function leaks(world: World, table: Table): string[] {
  const { files } = table.written
  const gone = [...(table.ownsData ? files.data : []), ...files.manifests, ...files['manifest-lists']]
  gone.push(...files.statistics, ...files.metadata, ...files.root)
  const location = table.written.metadata.location
  const overlapped = world.tables.some(
    (other) =>
      other !== table &&
      (`${other.written.metadata.location}/`.startsWith(`${location}/`) ||
        location.startsWith(`${other.written.metadata.location}/`)),
  )
  const sweeps = table.owned && table.ownsData && !overlapped
  if (sweeps) gone.push(...table.strays)
  const wrongs = gone
    .filter((path) => world.store.files.has(path))
    .map((path) => `${table.name} succeeded, but ${path} is there`)
  // What nobody holds any more, another table that names it may erase.
  const lent = new Set(world.tables.flatMap(({ borrowed }) => borrowed))
  const kept = table.ownsData ? [] : files.data.filter((path) => !lent.has(path))
  const strays = table.owned || overlapped ? [] : table.strays
  for (const path of [...kept, ...strays]) {
    // Another table's purge may have swept its surroundings.
    if (!world.store.files.has(path) && !overlapped) wrongs.push(`${table.name} must keep ${path}`)
  }
  return wrongs
}

function account(table: Table, certificate: Certificate): string[] {
  const wrongs: string[] = []
  const { deleted = 0, absent = 0, kept = 0 } = certificate.counts.data ?? {}
  const entries = table.written.manifests.reduce((sum, manifest) => sum + manifest.entries.length, 0)
  if (deleted + absent + kept !== entries) {
    wrongs.push(`${table.name}: ${deleted} + ${absent} + ${kept} paths accounted for, of ${entries}`)
  }
  if (certificate.paths?.digest !== digestOf(table.written.manifests)) {
    wrongs.push(`${table.name}: the digest of the paths is not that of its manifests`)
  }
  if (!table.ownsData && deleted + absent > 0) wrongs.push(`${table.name}: gc.enabled=false, data deleted`)
  return wrongs
}

/** As docs/reference/certificates.md says. */
function digestOf(manifests: Table['written']['manifests']): string {
  let digest = sha256('')
  for (const { path, entries } of manifests.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    const paths = sha256(Buffer.concat(entries.map((entry) => Buffer.from(`${entry}\0`))))
    digest = sha256(Buffer.concat([digest, sha256(path), paths]))
  }
  return digest.toString('hex')
}
