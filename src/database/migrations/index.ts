import { catalog } from './0001-catalog.ts'
import { purges } from './0002-purges.ts'
import { idempotency } from './0003-idempotency.ts'
import { engine } from './0004-engine.ts'
import { messages } from './0005-messages.ts'
import { events } from './0006-events.ts'
import { inspections } from './0007-inspections.ts'
import { sinks } from './0008-sinks.ts'
import { twins } from './0009-twins.ts'
import { writePaths } from './0010-write-paths.ts'
import { turns } from './0011-turns.ts'
import { ownFailures } from './0012-own-failures.ts'
import type { Migration } from './migration.ts'

/** Every migration, in the order in which they run. */
export const migrations: readonly Migration[] = [
  catalog,
  purges,
  idempotency,
  engine,
  messages,
  events,
  inspections,
  sinks,
  twins,
  writePaths,
  turns,
  ownFailures,
]
