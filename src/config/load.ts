import { dirname, resolve as resolvePath } from 'node:path'
import { check } from './check.ts'
import type { Config } from './config.ts'
import { definition } from './definition.ts'
import { type Override, readOverrides } from './environment.ts'
import { ConfigError, type KeyPath, type Problem } from './problems.ts'
import { resolveReferences } from './references.ts'
import { resolve } from './resolve.ts'
import { parseSource, readSource, type Source } from './source.ts'

export interface LoadOptions {
  /** YAML file, relative to the working directory. @default the variable MOULIN_CONFIG; without it, no file */
  readonly file?: string | undefined
  /** @default process.env */
  readonly env?: NodeJS.ProcessEnv
  /** What the command line sets; the last word. */
  readonly flags?: readonly { readonly key: KeyPath; readonly value: unknown; readonly flag: string }[]
  /** Where relative paths begin when there is no file. @default process.cwd() */
  readonly folder?: string
}

/**
 * Reads the configuration: defaults, then the file, then environment variables, then flags. Complete, checked, frozen.
 *
 * Throws {@link ConfigError} that names every problem at once, and no value.
 *
 * @example
 * const config = await loadConfig({ file: 'moulin.yaml' })
 */
export async function loadConfig(options: LoadOptions = {}): Promise<Config> {
  const env = options.env ?? process.env
  const file = options.file ?? (env.MOULIN_CONFIG || undefined)
  const folder = options.folder ?? process.cwd()
  const path = file === undefined ? undefined : resolvePath(folder, file)
  const source = path === undefined ? noFile : await readSource(path)
  return build(source, {
    name: file ?? 'no file, only the environment and flags',
    folder: path === undefined ? folder : dirname(path),
    env,
    flags: options.flags ?? [],
  })
}

/** As {@link loadConfig}, from YAML text; environment variables serve references only. For tests and embedding. */
export async function parseConfig(
  text: string,
  options: { readonly folder?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Config> {
  const { folder = process.cwd(), env = {} } = options
  return build(await parseSource(text, 'text'), { name: 'text', folder, env, flags: [] })
}

const noFile: Source = { value: {}, line: () => undefined }

interface Context {
  readonly name: string
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
  readonly flags: NonNullable<LoadOptions['flags']>
}

function build(source: Source, { name, folder, env, flags }: Context): Config {
  const problems: Problem[] = []
  const written = resolveReferences(source.value, env, problems) as Record<string, unknown>
  const overrides: Override[] = [
    ...readOverrides(env, definition, written, problems),
    ...flags.map(({ key, value, flag }) => ({ key, value, variable: flag })),
  ]
  for (const { key, value } of overrides) assign(written, key, value)

  const origin = (key: KeyPath) => {
    const override = overrides.findLast((each) => isPrefix(each.key, key))
    if (override !== undefined) return override.variable
    const line = source.line(key)
    return line === undefined ? undefined : `line ${line}`
  }
  const checked = check(written, definition)
  problems.push(...checked.problems)
  if (problems.length > 0) throw new ConfigError(name, problems, origin)
  const resolved = resolve(checked.value, folder)
  if (resolved.problems.length > 0) throw new ConfigError(name, resolved.problems, origin)
  return deepFreeze(resolved.config)
}

/** Sets a member of nested mappings, making those that are missing. What is there and no mapping is replaced. */
function assign(target: Record<string, unknown>, [step, ...rest]: KeyPath, value: unknown): void {
  const put = (member: unknown) =>
    Object.defineProperty(target, step!, {
      value: member,
      enumerable: true,
      writable: true,
      configurable: true,
    })
  if (rest.length === 0) {
    put(value)
    return
  }
  const present = Object.hasOwn(target, step!) ? target[step!] : undefined
  const isMap = typeof present === 'object' && present !== null && !Array.isArray(present)
  const next = isMap ? (present as Record<string, unknown>) : {}
  if (!isMap) put(next)
  assign(next, rest, value)
}

function isPrefix(short: KeyPath, long: KeyPath): boolean {
  return short.length <= long.length && short.every((step, index) => step === long[index])
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const member of Object.values(value)) deepFreeze(member)
  }
  return value
}
