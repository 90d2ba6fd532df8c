import type { Namespace } from '../iceberg/identifier.ts'

/** Joins levels in a row's column; no level may hold it (it is the REST protocol's separator, too). */
export const levelSeparator = '\u001f'

/** A namespace as the columns `namespaces.path` and `purges.namespace` hold it. */
export function namespacePath(namespace: Namespace): string {
  return namespace.join(levelSeparator)
}

/** The levels of {@link namespacePath}. */
export function namespaceLevels(path: string): string[] {
  return path.split(levelSeparator)
}
