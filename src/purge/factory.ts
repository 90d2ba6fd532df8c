import type { IcebergPurger, IcebergPurgerFactory, PurgerContext } from './purger.ts'
import { auditOnly } from './purgers/audit-only/factory.ts'
import { SqlAsyncPurger } from './purgers/sql-async/sql-async-purger.ts'
import { SynchronousPurger } from './purgers/synchronous/synchronous-purger.ts'
import type { Purgers, Route, RouteCondition } from './routing.ts'

/** The configured purger cannot be had. The message says what to change. */
export class PurgerConfigurationError extends Error {
  override readonly name = 'PurgerConfigurationError'
  /** Under which the mistake stands. */
  readonly key: 'purger' | 'options'
  /** The name that is neither a built-in purger's nor a module's. */
  readonly unknown: string | undefined

  constructor(
    message: string,
    {
      key,
      unknown,
      cause,
    }: {
      readonly key: 'purger' | 'options'
      readonly unknown?: string | undefined
      readonly cause?: unknown
    },
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.key = key
    this.unknown = unknown
  }
}

/** Purgers that need no module of their own, by alias. */
const builtIn: Readonly<Record<string, IcebergPurgerFactory>> = {
  synchronous: withoutOptions(() => new SynchronousPurger()),
  'sql-async': withoutOptions(() => new SqlAsyncPurger()),
  /** What the idea's first draft called it. */
  'jdbc-async': withoutOptions(() => new SqlAsyncPurger()),
  'audit-only': auditOnly,
  webhook: async (...given) =>
    (await import('./purgers/webhook/webhook-purger.ts')).createWebhookPurger(...given),
  kafka: async (options, context) =>
    (await import('./purgers/kafka/kafka-purger.ts')).kafkaPurger(options, context),
  's3-batch': async (options, context) =>
    (await import('./purgers/s3-batch/s3-batch-purger.ts')).createS3BatchPurger(options, context),
}

/** Names of the purgers that need no module of their own. */
export const purgerAliases: readonly string[] = Object.keys(builtIn)

/**
 * Makes the purger that the configuration names: an alias (`synchronous`), or a module specifier (`@acme/moulin-batch`,
 * `file:///opt/purger.js`, `./purger.js` relative to the working directory) whose default export is an
 * {@link IcebergPurgerFactory}.
 *
 * Throws {@link PurgerConfigurationError} when there is no such module, or it does not hold a purger.
 */
export async function createPurger(
  name: string,
  options: Readonly<Record<string, unknown>>,
  context: PurgerContext,
): Promise<IcebergPurger> {
  const factory = Object.hasOwn(builtIn, name) ? builtIn[name]! : await importFactory(name)
  let purger: IcebergPurger
  try {
    purger = await factory(options, context)
  } catch (error) {
    throw new PurgerConfigurationError(
      `The purger ${JSON.stringify(name)} refused its options: ${messageOf(error)}`,
      { key: 'options', cause: error },
    )
  }
  const problem = whatIsWrong(purger)
  if (problem !== undefined) {
    throw new PurgerConfigurationError(`The purger ${JSON.stringify(name)} is none: ${problem}`, {
      key: 'purger',
    })
  }
  return purger
}

/** The purgers of a warehouse, as its configuration names them. */
export interface PurgerSettings {
  readonly purger: string
  readonly options: Readonly<Record<string, unknown>>
  readonly routes: readonly {
    readonly when: RouteCondition
    readonly purger: string
    readonly options: Readonly<Record<string, unknown>>
  }[]
}

/**
 * Makes all purgers of a warehouse. Throws {@link PurgerConfigurationError} as `createPurger` does, with the key and the
 * warehouse before it, and when a route leads to a purger that waits, or beside one: a `DELETE` that waits has begun the work
 * before a route could be chosen.
 */
export async function createPurgers(
  settings: PurgerSettings,
  context: PurgerContext,
): Promise<Purgers & { close(): Promise<void> }> {
  const { name } = context.warehouse
  const all: IcebergPurger[] = []
  const close = async () => {
    for (const each of all) await each.close?.()
  }
  const create = async (section: string, purger: string, options: PurgerSettings['options']) => {
    try {
      const made = await createPurger(purger, options, context)
      all.push(made)
      return made
    } catch (error) {
      if (!(error instanceof PurgerConfigurationError)) throw error
      const { key, unknown, message } = error
      throw new PurgerConfigurationError(`${section}.${key} of the warehouse ${name}: ${message}`, {
        key,
        unknown,
        cause: error,
      })
    }
  }
  try {
    const purger = await create('purge', settings.purger, settings.options)
    const routes: Route[] = []
    for (const [index, { when, ...route }] of settings.routes.entries()) {
      routes.push({ when, purger: await create(`purge.routes.${index}`, route.purger, route.options) })
    }
    checkTogether(name, all)
    return { purger, routes, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** @param all the purger, and those of the routes. */
function checkTogether(warehouse: string, all: readonly IcebergPurger[]): void {
  const waiting = all.find(({ waits }) => waits)
  if (waiting && all.length > 1) {
    throw new PurgerConfigurationError(
      `purge.routes of the warehouse ${warehouse}: they are for purgers that DELETE does not wait for, and ${JSON.stringify(waiting.name)} is one`,
      { key: 'purger' },
    )
  }
  const twice = all.find(({ name }, index) => all.findIndex((each) => each.name === name) !== index)
  if (twice) {
    throw new PurgerConfigurationError(
      `purge.routes of the warehouse ${warehouse}: the purger ${JSON.stringify(twice.name)} is named twice in purge.purger and purge.routes; the ledger could not tell which of the two has begun a purge`,
      { key: 'purger' },
    )
  }
}

async function importFactory(specifier: string): Promise<IcebergPurgerFactory> {
  const target = specifier.startsWith('.') ? new URL(specifier, `file://${process.cwd()}/`).href : specifier
  let module: { default?: unknown }
  try {
    module = (await import(target)) as { default?: unknown }
  } catch (error) {
    // Who has tried to import it is of no interest.
    const reason = messageOf(error).replace(/ imported from .*/s, '')
    throw new PurgerConfigurationError(
      `There is no purger ${JSON.stringify(specifier)}: it is not a built-in one (${purgerAliases.join(', ')}), and cannot be imported as a module: ${reason}`,
      { key: 'purger', unknown: specifier, cause: error },
    )
  }
  if (typeof module.default !== 'function') {
    throw new PurgerConfigurationError(
      `The module ${JSON.stringify(specifier)} is no purger: its default export must be a factory function`,
      { key: 'purger' },
    )
  }
  return module.default as IcebergPurgerFactory
}

function withoutOptions(make: () => IcebergPurger): IcebergPurgerFactory {
  return (options) => {
    const [unknown] = Object.keys(options)
    if (unknown !== undefined) throw new Error(`${unknown} is not an option; this purger has none`)
    return make()
  }
}

function whatIsWrong(purger: unknown): string | undefined {
  if (typeof purger !== 'object' || purger === null) return 'its factory gave no object'
  const { name, waits, erases, purge } = purger as Partial<IcebergPurger>
  if (typeof name !== 'string' || name === '') return 'its name is missing'
  if (typeof waits !== 'boolean') return 'it does not say whether DELETE waits for it (waits)'
  if (erases !== undefined && typeof erases !== 'boolean') return 'erases must be true or false'
  if (typeof purge !== 'function') return 'it has no method purge'
  return undefined
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
