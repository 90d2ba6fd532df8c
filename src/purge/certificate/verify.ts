/** Checks certificates without a server: that none was changed, and that none is missing between two others. */
import { canonicalJson } from './canonical-json.ts'
import { type Certificate, type SealedCertificate, seal } from './certificate.ts'

/** What is wrong with a certificate, or with its place in the chain. */
export interface ChainProblem {
  /** Line of the export, beginning with 1. */
  readonly line: number
  readonly message: string
}

export interface VerifiedChain {
  readonly warehouse: string
  readonly first: number
  readonly last: number
  /** Hash of the last: compare it with one that was noted earlier, to see that the end was not cut off. */
  readonly head: string
  readonly count: number
}

/** What the export is known to hold. */
export interface Expected {
  /** Hash of some certificate of it. */
  readonly head?: string | undefined
  /** Each warehouse's chain begins with its first certificate. @default false */
  readonly fromStart?: boolean | undefined
}

/**
 * Reads an export, one {@link SealedCertificate} a line, warehouses in any order, each with its certificates in order of
 * their sequence.
 */
export function verifyCertificates(
  lines: Iterable<string>,
  { head, fromStart = false }: Expected = {},
): {
  readonly chains: readonly VerifiedChain[]
  readonly problems: readonly ChainProblem[]
} {
  let headSeen = head === undefined
  const chains = new Map<string, VerifiedChain>()
  const problems: ChainProblem[] = []
  let line = 0
  for (const text of lines) {
    line++
    if (text.trim() === '') continue
    const sealed = parse(text)
    if (typeof sealed === 'string') {
      problems.push({ line, message: sealed })
      continue
    }
    const { certificate, hash } = sealed
    const { warehouse, sequence, previous, purge } = certificate
    if (seal(certificate).hash !== hash) {
      problems.push({
        line,
        message: `The certificate of purge ${purge} does not have the hash that stands beside it: one of the two was changed.`,
      })
    }
    const chain = chains.get(warehouse)
    const broken =
      chain === undefined ? beginningProblem(certificate, fromStart) : linkProblem(chain, certificate)
    headSeen ||= hash === head
    if (broken !== undefined) problems.push({ line, message: broken })
    chains.set(warehouse, {
      warehouse,
      first: chain?.first ?? sequence,
      last: sequence,
      head: hash,
      count: (chain?.count ?? 0) + 1,
    })
    if (previous !== null && !/^[0-9a-f]{64}$/.test(previous)) {
      problems.push({ line, message: `previous is no SHA-256 in hexadecimal: ${JSON.stringify(previous)}` })
    }
  }
  if (!headSeen) problems.push({ line, message: `No certificate has the hash ${head}: the end was cut off.` })
  return { chains: [...chains.values()], problems }
}

function beginningProblem(
  { sequence, previous, warehouse }: Certificate,
  fromStart: boolean,
): string | undefined {
  if (fromStart && sequence !== 1)
    return `The export of warehouse ${warehouse} begins with certificate ${sequence}: those before are missing.`
  if ((sequence === 1) === (previous === null)) return undefined
  return `Certificate ${sequence} of warehouse ${warehouse} ${previous === null ? 'names no certificate before it, and is not the first' : 'is the first, and names one before it'}.`
}

function linkProblem(
  chain: VerifiedChain,
  { sequence, previous, warehouse }: Certificate,
): string | undefined {
  if (sequence !== chain.last + 1) {
    return `After certificate ${chain.last} of warehouse ${warehouse} comes ${sequence}: those between are missing, or the order was changed.`
  }
  if (previous !== chain.head) {
    return `Certificate ${sequence} of warehouse ${warehouse} does not follow ${chain.last}: its previous is ${previous}, the hash before it ${chain.head}.`
  }
  return undefined
}

function parse(text: string): SealedCertificate | string {
  let value: Partial<SealedCertificate> | null
  try {
    value = JSON.parse(text) as Partial<SealedCertificate> | null
  } catch (error) {
    return `The line is no JSON: ${(error as Error).message}`
  }
  const { certificate, hash } = value ?? {}
  if (typeof hash !== 'string' || typeof certificate !== 'object' || certificate === null) {
    return 'The line has no certificate with its hash: {"certificate": {…}, "hash": "…"}.'
  }
  const { version, warehouse, sequence, previous } = certificate
  if (version !== 1) return `Certificates of version ${String(version)} are not known here.`
  if (typeof warehouse !== 'string' || !Number.isSafeInteger(sequence) || previous === undefined) {
    return 'The certificate lacks warehouse, sequence or previous.'
  }
  if (sequence < 1) return `There is no certificate ${sequence}: a chain begins with 1.`
  try {
    // A member that stands twice, or beside the two, would be read by others and is in no hash.
    if (canonicalJson({ certificate, hash }) !== text.trim())
      return 'The line is not as it was exported: canonical JSON of certificate and hash, and nothing else.'
  } catch (error) {
    return (error as Error).message
  }
  return { certificate, hash }
}
