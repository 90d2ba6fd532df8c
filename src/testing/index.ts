/**
 * What proves an implementation of yours (`moulin/testing`): the suites that every purger and every store passes, and the
 * writer that makes tables for them. They take the functions of your test runner.
 *
 * @example
 * import { describe, it } from 'vitest'
 * import { purgerContract } from 'moulin/testing'
 *
 * purgerContract({ describe, it }, async () => ({ … }))
 */
export { type FileIOSubject, fileIOContract } from './file-io-contract.ts'
export { LedgerRuns } from './ledger-runs.ts'
export { PurgeFixture, purgerContext } from './purge-fixture.ts'
export { memoryRuns, type RunMaker, type TestRun, type TestRunOptions, testRun } from './purge-run.ts'
export {
  type PlannedPath,
  type PurgerContractOptions,
  type PurgerSubject,
  purgerContract,
} from './purger-contract.ts'
export { Random } from './random.ts'
export type { TestRunner } from './runner.ts'
export { type Faults, FaultyStore, noFaults } from './stores/faulty-store.ts'
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
export { type TableOptions, type WrittenTable, writeTable } from './table-writer/table.ts'
export { type WrittenView, writeView } from './table-writer/view.ts'
export { VirtualClock } from './virtual-clock.ts'
export { type DeleteFault, watchDeletes } from './watched-file-io.ts'
