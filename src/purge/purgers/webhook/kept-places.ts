/** Where a service must not erase although the table names files there: the places of other tables, as few prefixes. */
import { ancestorKeys, canonicalLocation, placeKey } from '../../../storage/location.ts'
import { type KeepRule, PermanentPurgeError } from '../../purger.ts'

/** Places that a document names. */
const maxPlaces = 1_000

export interface KeptPlace {
  /** Canonical, with a slash at its end. */
  readonly location: string
  /** The name of the rule that keeps it. */
  readonly rule: string
}

/**
 * Watches a keep rule at work and finds the places behind its answers. Of the table's own locations and these places, the
 * longest that contains a path decides whether it goes, as in `guard.ts`.
 */
export class KeptPlaces {
  readonly #rule: KeepRule
  readonly #own: ReadonlySet<string>
  readonly #places = new Map<string, string>()
  #lastDirectory = ''

  /** @param own the table's own locations. */
  constructor(rule: KeepRule, own: readonly string[]) {
    this.#rule = rule
    this.#own = new Set(own.map(placeKey))
  }

  /** The rule, watched. Throws PermanentPurgeError when it keeps files in more than 1,000 places. */
  readonly keep: KeepRule = async (paths) => {
    const rules = await this.#rule(paths)
    for (const [index, rule] of rules.entries()) {
      if (rule !== undefined) await this.#note(paths[index]!, rule)
    }
    return rules
  }

  /** In the order of their names. */
  get places(): readonly KeptPlace[] {
    return Array.from(this.#places, ([location, rule]) => ({ location, rule })).toSorted((a, b) =>
      a.location < b.location ? -1 : 1,
    )
  }

  async #note(path: string, rule: string): Promise<void> {
    const canonical = canonicalLocation(path)
    const directory = canonical.slice(0, canonical.lastIndexOf('/') + 1)
    if (directory === this.#lastDirectory) return
    this.#lastDirectory = directory
    const ancestors = ancestorKeys(directory)
    const deepest = ancestors.findLast((key) => this.#own.has(key) || this.#places.has(key))
    if (deepest !== undefined && !this.#own.has(deepest)) return
    if (this.#places.size === maxPlaces) {
      throw new PermanentPurgeError(
        `The table names files in more than ${maxPlaces} places of other tables, which is too many to tell a service of. Purge it with the purger sql-async.`,
      )
    }
    this.#places.set(await this.#outermost(ancestors), rule)
  }

  /** The highest of the directories from which on everything down to the path is kept. */
  async #outermost(ancestors: readonly string[]): Promise<string> {
    const rules = await this.#rule(ancestors.map((key) => `${key}any`))
    const free = rules.slice(0, -1).lastIndexOf(undefined)
    return ancestors[free + 1]!
  }
}
