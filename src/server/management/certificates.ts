/** `/management/v1/certificates`: the accounts of finished purges, for auditors. */
import { badRequest } from '../../iceberg/errors.ts'
import type { Principal } from '../../security/authorizer.ts'
import type { Answer } from '../call.ts'
import type { Dependencies } from '../deps.ts'
import { noSuchWarehouse } from '../iceberg/config.ts'

/** Certificates of one answer. */
const pageSize = 500

/**
 * Certificates of one warehouse in the order of their sequence, those after `after` (0, from the first, when missing).
 * `next` is the number to go on after; it is missing on the last page. Throws BadRequestException, NotFoundException.
 */
export async function listCertificates(
  deps: Dependencies,
  principal: Principal,
  query: Readonly<Record<string, string | string[] | undefined>>,
): Promise<Answer> {
  const { warehouse, after = '0' } = query
  if (typeof warehouse !== 'string') {
    throw badRequest('Query parameter warehouse is missing: /management/v1/certificates?warehouse=NAME')
  }
  if (typeof after !== 'string' || !/^\d{1,15}$/.test(after)) {
    throw badRequest(`Query parameter after must be the sequence of a certificate, a whole number`)
  }
  await deps.authorizer.authorize(principal, 'purge.read', { warehouse })
  if (!deps.warehouses.has(warehouse)) throw noSuchWarehouse(warehouse)
  const certificates = await deps.ledger.certificates(warehouse, Number(after), pageSize)
  const next = certificates.length === pageSize ? certificates.at(-1)!.certificate.sequence : undefined
  return { status: 200, body: { certificates, next } }
}
