// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are this file's subject
import { isMapping } from './check.ts'
import type { KeyPath, Problem } from './problems.ts'

/**
 * Replaces `${env:NAME}` in every text of a configuration by that environment variable; `$${` stands for `${` itself.
 * A variable that is not set, and any other `${…}`, is a problem; values are never shown.
 */
export function resolveReferences(
  value: unknown,
  env: NodeJS.ProcessEnv,
  problems: Problem[],
  key: KeyPath = [],
): unknown {
  if (typeof value === 'string') return resolveText(value, env, key, problems)
  if (Array.isArray(value)) {
    return value.map((item, index) => resolveReferences(item, env, problems, [...key, String(index)]))
  }
  if (!isMapping(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      resolveReferences(member, env, problems, [...key, name]),
    ]),
  )
}

function resolveText(text: string, env: NodeJS.ProcessEnv, key: KeyPath, problems: Problem[]): string {
  return text.replace(/\$?\$\{([^}]*)\}?/g, (reference, inside: string) => {
    if (reference.startsWith('$$')) return reference.slice(1)
    const name = /^env:([A-Za-z_][A-Za-z0-9_]*)$/.exec(inside)?.[1]
    if (name === undefined || !reference.endsWith('}')) {
      problems.push({
        key,
        message:
          'holds a "${" that begins no reference; write "${env:NAME}" for an environment variable, or "$${" for the two characters themselves.',
      })
      return ''
    }
    const value = env[name]
    if (value === undefined) {
      problems.push({
        key,
        message: `refers to the environment variable ${name}, which is not set; set it before starting Moulin.`,
      })
    }
    return value ?? ''
  })
}
