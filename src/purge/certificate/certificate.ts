/**
 * The certificate: the final account of a purge. Its form is canonical JSON; its hash is SHA-256 of that text; each one
 * names the hash of the certificate before it in its warehouse, so that none can be changed or taken out unnoticed.
 * docs/reference/certificates.md describes every member.
 */
import { createHash } from 'node:crypto'
import type { StoreSettings } from '../../storage/file-io.ts'
import type { Attachment, OutcomeCounts, PurgeLocation } from '../purger.ts'
import { canonicalJson } from './canonical-json.ts'

export interface Certificate {
  readonly version: 1
  readonly warehouse: string
  /** 1 for the first of the warehouse. */
  readonly sequence: number
  /** Hash of the certificate before it; null for the first. */
  readonly previous: string | null
  readonly purge: string
  /** `cancelled`: nothing was erased. */
  readonly state: 'succeeded' | 'cancelled'
  readonly object: {
    readonly kind: 'table' | 'view'
    readonly namespace: readonly string[]
    readonly name: string
    readonly uuid: string | null
    readonly 'metadata-location': string
    readonly locations: readonly PurgeLocation[]
  }
  readonly request: {
    readonly principal: string
    readonly 'request-id': string
    readonly client: string
    readonly 'requested-at': string
  }
  readonly purger: string
  /** True where the reach could not be read, and an operator had the owned locations erased whole. */
  readonly 'by-location'?: true
  readonly attempts: number
  /** RFC 3339, UTC, by the database's clock; null for a purge that was cancelled before any work. */
  readonly 'started-at': string | null
  readonly 'finished-at': string
  /** Paths, by stage and outcome. */
  readonly counts: OutcomeCounts
  /** Bytes of those paths, as far as the table's metadata or a listing states them. */
  readonly bytes: OutcomeCounts
  /** Kept paths, by the name of the rule that kept them. */
  readonly kept: Readonly<Record<string, number>>
  /** Null where no manifests were read: views, purges by location, cancelled ones. */
  readonly paths: PathsDigest | null
  readonly verification: readonly VerifiedLocation[]
  readonly store: StoreLimits
  /** What the purger has written about this purge, if anything. */
  readonly attachments?: readonly Attachment[]
}

/** Proves which paths the manifests named, without holding them: see `path-digest.ts`. */
export interface PathsDigest {
  readonly algorithm: 'sha-256-manifest-chain'
  readonly manifests: number
  /** Entries of all manifests; a file that several manifests name counts in each. */
  readonly entries: number
  /** Hexadecimal. */
  readonly digest: string
}

/** What a listing after the reach was erased has found at one of the table's locations. */
export interface VerifiedLocation {
  readonly location: string
  readonly owned: boolean
  /**
   * `erased`: what was left was erased, and a second listing shows it gone. `reported`: it was left. `overlapped`: another
   * table's place overlaps, so it was left.
   */
  readonly policy: 'erased' | 'reported' | 'overlapped'
  /** Files found when the reach was gone. `complete` is false where the listing was ended early. */
  readonly found: number
  readonly complete: boolean
  readonly erased: number
  /** Versions and delete markers that were erased; only where the warehouse has all versions erased. */
  readonly versions?: number
  /** Left, by a rule or by the policy. */
  readonly left: number
  /** The first of those that were left. */
  readonly examples: readonly string[]
}

/** Settings of the stores that limit what a deletion means, by bucket (`s3://bucket`). Empty for local disks. */
export interface StoreLimits {
  readonly [container: string]: {
    readonly versioning: StoreSettings['versioning']
    readonly 'object-lock': StoreSettings['objectLock']
  }
}

/** As it is stored and exported. */
export interface SealedCertificate {
  readonly certificate: Certificate
  /** SHA-256 of the certificate's canonical JSON, hexadecimal. */
  readonly hash: string
}

/** Canonical text and hash of a certificate. */
export function seal(certificate: Certificate): { readonly body: string; readonly hash: string } {
  const body = canonicalJson(certificate)
  return { body, hash: createHash('sha256').update(body).digest('hex') }
}
