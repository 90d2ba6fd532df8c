import type { Schema } from '../metadata/schema.ts'

/** View metadata as a value: immutable. https://iceberg.apache.org/view-spec/ */
export interface ViewMetadata {
  readonly formatVersion: 1
  readonly viewUuid: string
  readonly location: string
  readonly schemas: readonly Schema[]
  readonly currentVersionId: number
  readonly versions: readonly ViewVersion[]
  readonly versionLog: readonly ViewLogEntry[]
  readonly properties: Readonly<Record<string, string>>
}

export interface ViewVersion {
  readonly versionId: number
  readonly schemaId: number
  readonly timestampMs: bigint
  readonly summary: Readonly<Record<string, string>>
  readonly representations: readonly ViewRepresentation[]
  readonly defaultCatalog: string | undefined
  readonly defaultNamespace: readonly string[]
}

/** The query in one SQL dialect. */
export interface ViewRepresentation {
  readonly type: 'sql'
  readonly sql: string
  readonly dialect: string
}

export interface ViewLogEntry {
  readonly timestampMs: bigint
  readonly versionId: number
}
