/** What proves an implementation of yours (`moulin/testing`): the table writer that the suites build tables with. */
export { type AvroCodec, type AvroFile, writeAvroFile } from './table-writer/avro-file.ts'
export {
  type ColumnStatistics,
  type ManifestOptions,
  type PartitionColumn,
  type WrittenEntry,
  type WrittenFile,
  writeManifest,
} from './table-writer/manifest.ts'
export { type ListedManifest, writeManifestList } from './table-writer/manifest-list.ts'
