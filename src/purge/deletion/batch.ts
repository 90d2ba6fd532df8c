import type { DeleteOutcome } from '../../storage/file-io.ts'
import { containerOf } from '../../storage/location.ts'
import type { Outcome, OutcomeCounts, PathFailure, Stage, Tally } from '../purger.ts'

/** A file of the reach. */
export interface DoomedFile {
  readonly path: string
  /** Bytes; undefined where the table's metadata does not say. */
  readonly size: number | undefined
  /** Of a store that keeps versions: the one that is to go for good. */
  readonly version?: string
}

/** Files that are deleted in one call, and what became of them. */
export class Batch {
  readonly #stage: Stage
  #paths: string[] = []
  #sizes: (number | undefined)[] = []
  #versions: string[] = []
  readonly #counts: { [O in Outcome]?: number } = {}
  readonly #bytes: { [O in Outcome]?: number } = {}
  readonly #rules: Record<string, number> = {}
  readonly #containers: Record<string, number> = {}
  /** Of the path before, up to the slash behind it, and as it is named: mostly the next has the same. */
  #container = { prefix: '\0', name: '' }

  constructor(stage: Stage) {
    this.#stage = stage
  }

  get size(): number {
    return this.#paths.length
  }

  get paths(): readonly string[] {
    return this.#paths
  }

  /** For each path its version, if they have any: all files of a stage do, or none. */
  get versions(): readonly string[] | undefined {
    return this.#versions.length > 0 ? this.#versions : undefined
  }

  add({ path, size, version }: DoomedFile): void {
    this.#paths.push(path)
    this.#sizes.push(size)
    if (version !== undefined) this.#versions.push(version)
  }

  /** Counts those that a rule keeps, and is left with the others. */
  keep(rules: readonly (string | undefined)[]): void {
    if (rules.every((rule) => rule === undefined)) return
    const [paths, sizes, versions] = [this.#paths, this.#sizes, this.#versions]
    this.#paths = []
    this.#sizes = []
    this.#versions = []
    for (const [index, path] of paths.entries()) {
      const rule = rules[index]
      if (rule === undefined) {
        const version = versions[index]
        this.add({ path, size: sizes[index], ...(version !== undefined && { version }) })
      } else {
        this.#count('kept', sizes[index])
        this.#rules[rule] = (this.#rules[rule] ?? 0) + 1
      }
    }
  }

  /** Counts the outcomes, and gives the failures. A path without an outcome may be there still. */
  account(outcomes: readonly DeleteOutcome[]): PathFailure[] {
    const failures: PathFailure[] = []
    for (let index = 0; index < this.#paths.length; index++) {
      const outcome = outcomes[index] ?? {
        outcome: 'failed' as const,
        code: 'NoOutcome',
        message: 'The storage said nothing of this path.',
      }
      this.#count(outcome.outcome, this.#sizes[index])
      if (outcome.outcome === 'deleted' || outcome.outcome === 'absent')
        this.#countContainer(this.#paths[index]!)
      if (outcome.outcome === 'blocked' || outcome.outcome === 'failed') {
        failures.push({ path: this.#paths[index]!, stage: this.#stage, ...outcome })
      }
    }
    return failures
  }

  /** All outcomes. */
  counts(): OutcomeCounts {
    return { [this.#stage]: { ...this.#counts } }
  }

  /** What is done for good: failures are named in the ledger instead, until they are erased. */
  tally(): Tally {
    const { failed: _failed, blocked: _blocked, ...counts } = this.#counts
    const { failed: _failedBytes, blocked: _blockedBytes, ...bytes } = this.#bytes
    return {
      counts: { [this.#stage]: counts },
      bytes: { [this.#stage]: bytes },
      rules: this.#rules,
      containers: this.#containers,
    }
  }

  #count(outcome: Outcome, size: number | undefined): void {
    this.#counts[outcome] = (this.#counts[outcome] ?? 0) + 1
    if (size === undefined || !Number.isSafeInteger(size) || size < 0) return
    this.#bytes[outcome] = Math.min((this.#bytes[outcome] ?? 0) + size, Number.MAX_SAFE_INTEGER)
  }

  #countContainer(path: string): void {
    if (!path.startsWith(this.#container.prefix)) {
      const name = containerOf(path)
      if (name === undefined) return
      this.#container = { prefix: path.slice(0, path.indexOf('/', path.indexOf('//') + 2) + 1), name }
    }
    const { name } = this.#container
    this.#containers[name] = (this.#containers[name] ?? 0) + 1
  }
}
