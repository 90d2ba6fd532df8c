import type { Style } from '../style.ts'

/** What one check found. `error`: a server with this configuration will not work, or cannot purge. */
export interface Finding {
  readonly level: 'ok' | 'warning' | 'error'
  readonly message: string
  /** What to do about it. */
  readonly advice?: string
}

export const ok = (message: string): Finding => ({ level: 'ok', message })
export const warning = (message: string, advice: string): Finding => ({ level: 'warning', message, advice })
export const error = (message: string, advice: string): Finding => ({ level: 'error', message, advice })

/** `✓ message`, or `! message` or `✗ message` with the advice below. */
export function printFinding({ level, message, advice }: Finding, style: Style): string {
  const mark = { ok: style.green('✓'), warning: style.yellow('!'), error: style.red('✗') }[level]
  return advice === undefined
    ? `  ${mark} ${message}`
    : `  ${mark} ${message}\n    ${style.dim('→')} ${advice}`
}

/** The message of a thrown thing and of what caused it, on one line. */
export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  const own = thrown instanceof AggregateError ? thrown.errors.map(reasonOf).join('; ') : thrown.message
  const cause = thrown.cause instanceof Error ? reasonOf(thrown.cause) : ''
  return (cause === '' || own.includes(cause) ? own : `${own} (${cause})`).replaceAll(/\s*\n\s*/g, ' ')
}
