/** Steps from the root of the configuration to a key: `['warehouses', 'lake', 'location']`. */
export type KeyPath = readonly string[]

/** One thing that is wrong. Never holds a value: it may be a secret. */
export interface Problem {
  readonly key: KeyPath
  /** Completes the sentence that begins with the key: what it is, what is expected, what to do. */
  readonly message: string
}

/** The configuration cannot be used. Holds every problem, not just the first. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly Problem[]

  /**
   * @param source What was read: a file's name, or words for the environment.
   * @param origin Where a key was set, for example `moulin.yaml:3` or `MOULIN_SERVER__PORT`.
   */
  constructor(
    source: string,
    problems: readonly Problem[],
    origin: (key: KeyPath) => string | undefined = () => undefined,
  ) {
    const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
    const lines = problems.map((problem) => {
      const place = origin(problem.key)
      return `  ${printKey(problem.key)}${place ? ` (${place})` : ''} ${problem.message}`
    })
    super(`The configuration (${source}) has ${count}:\n\n${lines.join('\n\n')}`)
    this.problems = problems
  }
}

/** `server.port`, `warehouses."eu.lake".location`; the whole file is `(top level)`. */
export function printKey(key: KeyPath): string {
  if (key.length === 0) return '(top level)'
  return key.map((step) => (/^[\w-]+$/.test(step) ? step : JSON.stringify(step))).join('.')
}
