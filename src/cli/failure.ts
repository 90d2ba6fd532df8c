import { styleFor } from './style.ts'

/** A command that cannot do what it was asked; the message says what to do about it. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: number

  /** @param options `exitCode`: 1 when it is not given. */
  constructor(message: string, options: ErrorOptions & { readonly exitCode?: number } = {}) {
    super(message, options)
    this.exitCode = options.exitCode ?? 1
  }
}

/** Says on standard error what went wrong, with the stack only when asked, and sets the exit code. */
export function reportFailure(error: unknown, { verbose }: { verbose: boolean }): void {
  const style = styleFor(process.stderr)
  const message = error instanceof Error ? describe(error) : String(error)
  console.error(`${style.red('✗')} ${message}`)
  if (verbose && error instanceof Error) console.error(style.dim(`\n${stackOf(error)}`))
  else if (!isExplained(error)) console.error(style.dim('\n(--verbose shows where this happened.)'))
  process.exitCode = error instanceof CommandError ? error.exitCode : 1
}

/** Kinds of errors whose message says what to do. By their names, for those that come from a thread have lost their class. */
const explained: readonly string[] = [
  'ConfigError',
  'CommandError',
  'PurgerConfigurationError',
  'SinkConfigurationError',
]

export function isExplained(error: unknown): boolean {
  return error instanceof Error && explained.includes(error.name)
}

/** An AggregateError, as Node.js makes of refused connections, has its message in its parts. */
function describe(error: Error): string {
  if (error.message !== '') return error.message
  if (error instanceof AggregateError) return error.errors.map(String).join('; ')
  return error.name
}

function stackOf(error: Error): string {
  const own = error.stack ?? String(error)
  return error.cause instanceof Error ? `${own}\nCaused by: ${stackOf(error.cause)}` : own
}
