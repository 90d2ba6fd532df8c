/**
 * Which purger a purge goes to. A warehouse has one, and may have routes for some of its tables: the first whose
 * conditions all hold. It is decided when the work begins, once, and recorded in the ledger.
 */
import { countEntries } from './count-entries.ts'
import type { IcebergPurger, Purge, PurgeRun } from './purger.ts'
import { readManifestLists } from './reach.ts'
import { readRoot } from './root.ts'

export interface RouteCondition {
  /** Entries of the table's manifests, at least. */
  readonly minFiles?: number | undefined
  /** A table property that must be there. */
  readonly property?: string | undefined
  /** The property's value. @default any */
  readonly value?: string | undefined
}

export interface Route {
  readonly when: RouteCondition
  readonly purger: IcebergPurger
}

export interface Purgers {
  /** For everything that no route takes. */
  readonly purger: IcebergPurger
  /** @default none */
  readonly routes?: readonly Route[]
}

/**
 * The purger of a purge on which nobody has worked yet. Views take no route. Throws as {@link readRoot} does, and, where a
 * route has `minFiles`, as {@link readManifestLists} and {@link countEntries} do.
 */
export async function choosePurger(
  { purger, routes = [] }: Purgers,
  purge: Purge,
  run: PurgeRun,
): Promise<IcebergPurger> {
  if (routes.length === 0 || purge.kind === 'view') return purger
  const { io, signal } = run
  const reach = await readRoot(io, purge, signal)
  let files: number | undefined
  const countFiles = async () => {
    const manifests = await readManifestLists(io, reach, signal)
    const enough = Math.max(...routes.map(({ when }) => when.minFiles ?? 0))
    return await countEntries(io, manifests, enough, signal)
  }
  for (const { when, purger: other } of routes) {
    const { minFiles, property, value } = when
    if (property !== undefined) {
      const actual = reach.properties[property]
      if (actual === undefined || (value !== undefined && actual !== value)) continue
    }
    if (minFiles !== undefined) {
      files ??= await countFiles()
      if (files < minFiles) continue
    }
    return other
  }
  return purger
}

/** The one of a warehouse's purgers that has this name. */
export function purgerNamed({ purger, routes = [] }: Purgers, name: string): IcebergPurger | undefined {
  return [purger, ...routes.map((route) => route.purger)].find((each) => each.name === name)
}
