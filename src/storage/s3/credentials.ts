import type { S3Client } from '@aws-sdk/client-s3'
import { refusesCredentials } from './errors.ts'

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}

/** Milliseconds before their end in which credentials are not used any more. */
const expiryMargin = 300_000
/** Milliseconds for which temporary credentials count as just issued: what issues them does not like to be asked often. */
const justIssued = 10_000

/**
 * Credentials that somebody else keeps: the environment, a profile, an instance's metadata. The SDK asks once and then
 * only when they expire, which keys in a file that are rotated never do. These are asked for again at the beginning of
 * every attempt, and when the store refuses them.
 */
export class RenewableCredentials {
  readonly #ask: () => Promise<Credentials>
  readonly #now: () => number
  #asked: { readonly at: number; readonly answer: Promise<Credentials> } | undefined

  /** @param ask must not remember earlier answers. */
  constructor(ask: () => Promise<Credentials>, now: () => number = Date.now) {
    this.#ask = ask
    this.#now = now
  }

  async resolve(): Promise<Credentials> {
    const asked = this.#asked ?? this.#askAnew()
    const found = await asked.answer
    if (!this.#expires(found)) return found
    // Somebody else may have asked meanwhile.
    const again = this.#asked === asked || !this.#asked ? this.#askAnew() : this.#asked
    return await again.answer
  }

  /** Has them asked for again by the next request. Temporary ones stay that were issued a moment ago. */
  async renew(): Promise<void> {
    const asked = this.#asked
    // One that cannot answer is forgotten by itself.
    const found = await asked?.answer.catch(() => undefined)
    const isFresh = found?.expiration !== undefined && this.#now() - asked!.at < justIssued
    if (!isFresh && this.#asked === asked) this.#asked = undefined
  }

  /** Whether there are others than these, which the store has refused. */
  async haveChanged(refused: Credentials): Promise<boolean> {
    const current = await this.resolve()
    if (!areSame(current, refused)) return true
    this.#asked = undefined
    return !areSame(await this.resolve(), refused)
  }

  #expires({ expiration }: Credentials): boolean {
    return expiration !== undefined && expiration.getTime() - this.#now() < expiryMargin
  }

  #askAnew(): { readonly at: number; readonly answer: Promise<Credentials> } {
    const asked = { at: this.#now(), answer: this.#ask() }
    this.#asked = asked
    asked.answer.catch(() => {
      if (this.#asked === asked) this.#asked = undefined
    })
    return asked
  }
}

/** Sends a request once more, with other credentials, when the store has refused those that it was signed with. */
export function repeatRefused(client: S3Client, credentials: RenewableCredentials): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const used = await credentials.resolve()
      try {
        return await next(args)
      } catch (error) {
        if (!refusesCredentials(error) || !(await credentials.haveChanged(used))) throw error
        return await next(args)
      }
    },
    { step: 'initialize', priority: 'low', name: 'repeatRefused' },
  )
}

function areSame(one: Credentials, other: Credentials): boolean {
  return (
    one.accessKeyId === other.accessKeyId &&
    one.secretAccessKey === other.secretAccessKey &&
    one.sessionToken === other.sessionToken
  )
}
