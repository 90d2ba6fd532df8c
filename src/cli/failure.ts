import { ConfigError } from '../config/problems.ts'
import { styleFor } from './style.ts'

/** A command that cannot do what it was asked; the message says what to do about it. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}

/** Says on standard error what went wrong, with the stack only when asked. The exit code becomes 1. */
export function reportFailure(error: unknown, { verbose }: { verbose: boolean }): void {
  const style = styleFor(process.stderr)
  const message = error instanceof Error ? describe(error) : String(error)
  console.error(`${style.red('✗')} ${message}`)
  if (verbose && error instanceof Error) console.error(style.dim(`\n${stackOf(error)}`))
  else if (!isExplained(error)) console.error(style.dim('\n(--verbose shows where this happened.)'))
  process.exitCode = 1
}

function isExplained(error: unknown): boolean {
  return error instanceof ConfigError || error instanceof CommandError
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
