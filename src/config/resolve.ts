import { resolve as resolvePath } from 'node:path'
import { pathToFileURL } from 'node:url'
import { InvalidLocationError } from '../storage/file-io.ts'
import { canonicalLocation } from '../storage/location.ts'
import type { Config, PurgeConfig, StorageConfig, WarehouseConfig } from './config.ts'
import type { CheckedConfig } from './definition.ts'
import { isLoopback } from './loopback.ts'
import { type KeyPath, type Problem, printKey } from './problems.ts'

type CheckedWarehouse = NonNullable<CheckedConfig['warehouses']>[string]

/** The one that is served when the configuration names none. */
const defaultWarehouse: CheckedWarehouse = {
  location: 'moulin-data/warehouse',
  storage: undefined,
  catalog: { type: 'sql' },
  purge: {
    purger: undefined,
    options: undefined,
    routes: undefined,
    views: undefined,
    deleteConcurrency: undefined,
    leaseTimeout: undefined,
    maxAttempts: undefined,
    backoffBase: undefined,
    backoffMax: undefined,
    priority: undefined,
    completedRetention: undefined,
    retention: undefined,
    sweep: undefined,
    versions: undefined,
    workers: undefined,
    pollInterval: undefined,
    claimBatch: undefined,
    filesPerSecond: undefined,
  },
}

/**
 * Makes the file's form into what the program works with: paths absolute (relative ones begin at `folder`), locations
 * canonical, storage chosen by the location, sections inherited; and checks what one key alone cannot tell.
 */
export function resolve(
  checked: CheckedConfig,
  folder: string,
): { readonly config: Config; readonly problems: readonly Problem[] } {
  const problems: Problem[] = []
  const warehouses = Object.entries(checked.warehouses ?? { default: defaultWarehouse }).map(
    ([name, warehouse]) => [name, resolveWarehouse(name, warehouse, checked, folder, problems)] as const,
  )
  checkHost(checked.server, problems)
  checkBackoff(checked.purge, ['purge'], 'backoffMax', problems)
  const config: Config = {
    server: checked.server,
    database: { ...checked.database, url: resolveDatabase(checked.database.url, folder, problems) },
    warehouses: Object.fromEntries(warehouses),
    purge: engineOf(checked.purge),
    events: checked.events,
    logging: checked.logging,
  }
  return { config, problems }
}

function checkHost({ host, allowInsecure }: CheckedConfig['server'], problems: Problem[]): void {
  if (allowInsecure || isLoopback(host)) return
  problems.push({
    key: ['server', 'host'],
    message:
      'is not a loopback address, and this version of Moulin authenticates nobody: whoever reaches the port could drop and purge every table. Use 127.0.0.1, or set server.allowInsecure: true if the network keeps strangers out.',
  })
}

function checkBackoff(
  { backoffBase, backoffMax }: Pick<PurgeConfig, 'backoffBase' | 'backoffMax'>,
  section: KeyPath,
  /** The one that the section sets. */
  set: 'backoffBase' | 'backoffMax',
  problems: Problem[],
): void {
  if (backoffBase <= backoffMax) return
  const [relation, other] = set === 'backoffMax' ? ['shorter', 'backoffBase'] : ['longer', 'backoffMax']
  problems.push({
    key: [...section, set],
    message: `is ${relation} than ${printKey([...section, other])}, set or by default; change one of the two: the first wait must not be above the longest.`,
  })
}

function resolveDatabase(url: string, folder: string, problems: Problem[]): string {
  if (!url.startsWith('sqlite:')) return url
  const path = url.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '')
  if (path === '' || path.startsWith(':memory:') || path.includes('\0')) {
    problems.push({
      key: ['database', 'url'],
      message:
        'names no file; write sqlite:FILE, for example sqlite:moulin-data/catalog.db. (A database in memory would forget accepted purges.)',
    })
  }
  return `sqlite:${resolvePath(folder, path)}`
}

function resolveWarehouse(
  name: string,
  warehouse: CheckedWarehouse,
  { purge }: CheckedConfig,
  folder: string,
  problems: Problem[],
): WarehouseConfig {
  const key = ['warehouses', name]
  const location = resolveLocation(warehouse.location, folder, [...key, 'location'], problems)
  const terms = inheritPurge(warehouse.purge, purge, folder)
  const { backoffBase, backoffMax } = warehouse.purge
  // What it inherits as a whole is told once, of the section that all inherit from.
  if (backoffBase !== undefined || backoffMax !== undefined) {
    const set = backoffMax === undefined ? 'backoffBase' : 'backoffMax'
    checkBackoff(terms, [...key, 'purge'], set, problems)
  }
  return {
    location,
    storage: resolveStorage(warehouse.storage, location, folder, [...key, 'storage'], problems),
    catalog: warehouse.catalog,
    purge: terms,
  }
}

function engineOf({ workers, pollInterval, claimBatch, filesPerSecond }: CheckedConfig['purge']) {
  return { workers, pollInterval, claimBatch, filesPerSecond }
}

/** Options belong to a purger: a warehouse that names another one does not inherit them. */
function inheritPurge(
  own: CheckedWarehouse['purge'],
  common: CheckedConfig['purge'],
  folder: string,
): PurgeConfig {
  const isOther = own.purger !== undefined && own.purger !== common.purger
  return {
    purger: resolvePurger(own.purger ?? common.purger, folder),
    options: own.options ?? (isOther ? {} : common.options),
    routes: (own.routes ?? (isOther ? [] : common.routes)).map(({ when, purger, options }) => ({
      when,
      purger: resolvePurger(purger, folder),
      options: options ?? {},
    })),
    views: own.views ?? common.views,
    deleteConcurrency: own.deleteConcurrency ?? common.deleteConcurrency,
    leaseTimeout: own.leaseTimeout ?? common.leaseTimeout,
    maxAttempts: own.maxAttempts ?? common.maxAttempts,
    backoffBase: own.backoffBase ?? common.backoffBase,
    backoffMax: own.backoffMax ?? common.backoffMax,
    priority: own.priority ?? common.priority,
    completedRetention: own.completedRetention ?? common.completedRetention,
    retention: own.retention ?? common.retention,
    sweep: own.sweep ?? common.sweep,
    versions: own.versions ?? common.versions,
    workers: own.workers ?? common.workers,
    pollInterval: own.pollInterval ?? common.pollInterval,
    claimBatch: own.claimBatch ?? common.claimBatch,
    // The common limit is one over all warehouses: it is not each one's.
    filesPerSecond: own.filesPerSecond,
  }
}

/** Aliases and packages stay as they are; a module's relative path becomes its URL. */
function resolvePurger(purger: string, folder: string): string {
  return /^\.\.?\//.test(purger) ? pathToFileURL(resolvePath(folder, purger)).href : purger
}

function resolveStorage(
  storage: CheckedWarehouse['storage'],
  location: string,
  folder: string,
  key: KeyPath,
  problems: Problem[],
): StorageConfig {
  const isS3 = location.startsWith('s3://')
  const type = storage?.type ?? (isS3 ? 's3' : 'local')
  if ((type === 's3') !== isS3) {
    problems.push({
      key: [...key, 'type'],
      message: `does not fit the location, which is ${isS3 ? 'in S3: use "s3"' : 'a folder: use "local"'}, or leave storage.type out.`,
    })
  }
  if (type === 'local') {
    const allowed = storage?.type === 'local' ? storage.allowedLocations : []
    return {
      type,
      allowedLocations: allowed.map((each, index) =>
        resolveLocation(each, folder, [...key, 'allowedLocations', String(index)], problems),
      ),
    }
  }
  const s3 = storage?.type === 's3' ? storage : undefined
  for (const [one, other] of [
    ['accessKeyId', 'secretAccessKey'],
    ['secretAccessKey', 'accessKeyId'],
  ] as const) {
    if (s3?.[one] !== undefined && s3[other] === undefined) {
      problems.push({
        key: [...key, other],
        message: `is missing, but ${one} is there; set both or neither.`,
      })
    }
  }
  return {
    type,
    endpoint: s3?.endpoint,
    region: s3?.region ?? 'us-east-1',
    pathStyleAccess: s3?.pathStyleAccess ?? false,
    accessKeyId: s3?.accessKeyId,
    secretAccessKey: s3?.secretAccessKey,
    sessionToken: s3?.sessionToken,
    checksums: s3?.checksums ?? 'when_required',
  }
}

/** A path, or a `file:` or `s3:` URI, as the canonical form of `storage/location.ts`, without a trailing slash. */
function resolveLocation(text: string, folder: string, key: KeyPath, problems: Problem[]): string {
  const hasScheme = /^[a-z][a-z0-9+.-]+:/i.test(text)
  try {
    const canonical = canonicalLocation(hasScheme ? text : resolvePath(folder, text))
    return canonical.replace(/(?<!\/)\/+$/, '')
  } catch (error) {
    if (!(error instanceof InvalidLocationError)) throw error
    problems.push({
      key,
      message:
        'is not a location that Moulin can serve; expected a folder, file:///folder or s3://bucket/prefix.',
    })
    return text
  }
}
