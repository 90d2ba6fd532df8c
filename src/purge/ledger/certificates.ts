/** The chains of certificates in the database. */
import type { Selectable } from 'kysely'
import type { Database, Transaction } from '../../database/database.ts'
import type { PurgeTable } from '../../database/schema/purges.ts'
import {
  type Certificate,
  type PathsDigest,
  type SealedCertificate,
  type StoreLimits,
  seal,
  type VerifiedLocation,
} from '../certificate/certificate.ts'
import type { Attachment } from '../purger.ts'
import { parseTally } from '../tally.ts'
import { purgeOf } from './record.ts'

/** What the worker has to say beside what the ledger knows. */
export interface Evidence {
  readonly paths: PathsDigest | null
  readonly verification: readonly VerifiedLocation[]
  readonly store: StoreLimits
  /** @default none */
  readonly attachments?: readonly Attachment[]
}

/** Writes the certificate of a purge that is over, as the next of its warehouse's chain. */
export async function appendCertificate(
  tx: Transaction,
  row: Selectable<PurgeTable>,
  evidence: Evidence,
  now: number,
): Promise<void> {
  await tx
    .insertInto('certificate_heads')
    .values({ warehouse: row.warehouse, sequence: 0, hash: null })
    .onConflict((conflict) => conflict.column('warehouse').doNothing())
    .execute()
  // The update locks the head: certificates of a warehouse are written one after another.
  const head = await tx
    .updateTable('certificate_heads')
    .set((where) => ({ sequence: where('sequence', '+', 1) }))
    .where('warehouse', '=', row.warehouse)
    .returning(['sequence', 'hash'])
    .executeTakeFirstOrThrow()
  const certificate = certificateOf(row, evidence, head.sequence, head.hash)
  const { body, hash } = seal(certificate)
  await tx
    .insertInto('certificates')
    .values({
      purge_id: row.id,
      warehouse: row.warehouse,
      sequence: head.sequence,
      hash,
      body,
      created_at: now,
    })
    .execute()
  await tx.updateTable('certificate_heads').set({ hash }).where('warehouse', '=', row.warehouse).execute()
}

/** The certificate of one purge. */
export async function findCertificate(
  database: Database,
  purgeId: string,
): Promise<SealedCertificate | undefined> {
  const row = await database.reader
    .selectFrom('certificates')
    .select(['body', 'hash'])
    .where('purge_id', '=', purgeId)
    .executeTakeFirst()
  return row && { certificate: JSON.parse(row.body) as Certificate, hash: row.hash }
}

/** Certificates of a warehouse, in order, those after a sequence number. */
export async function listCertificates(
  database: Database,
  warehouse: string,
  after: number,
  limit: number,
): Promise<SealedCertificate[]> {
  const rows = await database.reader
    .selectFrom('certificates')
    .select(['body', 'hash'])
    .where('warehouse', '=', warehouse)
    .where('sequence', '>', after)
    .orderBy('sequence')
    .limit(limit)
    .execute()
  return rows.map(({ body, hash }) => ({ certificate: JSON.parse(body) as Certificate, hash }))
}

function certificateOf(
  row: Selectable<PurgeTable>,
  evidence: Evidence,
  sequence: number,
  previous: string | null,
): Certificate {
  const { id, kind, namespace, name, uuid, metadataLocation, locations, request } = purgeOf(row)
  const { counts, bytes, rules } = parseTally(row.tally)
  const time = (milliseconds: number) => new Date(milliseconds).toISOString()
  return {
    version: 1,
    warehouse: row.warehouse,
    sequence,
    previous,
    purge: id,
    state: row.state === 'succeeded' ? 'succeeded' : 'cancelled',
    object: {
      kind,
      namespace,
      name,
      uuid: uuid ?? null,
      'metadata-location': metadataLocation,
      locations,
    },
    request: {
      principal: request.principal,
      'request-id': request.requestId,
      client: request.client,
      'requested-at': time(request.requestedAt),
    },
    purger: row.purger,
    ...(row.by_location === 1 && { 'by-location': true as const }),
    attempts: row.attempts,
    'started-at': row.started_at === null ? null : time(row.started_at),
    'finished-at': time(row.finished_at ?? row.updated_at),
    counts,
    bytes,
    kept: rules,
    paths: evidence.paths,
    verification: evidence.verification,
    store: evidence.store,
    ...(evidence.attachments && evidence.attachments.length > 0 && { attachments: evidence.attachments }),
  }
}
