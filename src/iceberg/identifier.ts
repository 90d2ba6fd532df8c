/** A namespace: its levels from the outermost inwards, at least one, none empty. */
export type Namespace = readonly string[]

/** The name of a table or a view inside its namespace. */
export interface Identifier {
  readonly namespace: Namespace
  readonly name: string
}

/** As Iceberg's messages print it: levels joined by dots. Not reversible; only for people. */
export function namespaceText(namespace: Namespace): string {
  return namespace.join('.')
}

/** As Iceberg's messages print it: `ns.level.table`. Not reversible; only for people. */
export function identifierText(identifier: Identifier): string {
  return [...identifier.namespace, identifier.name].join('.')
}
