import { pino } from 'pino'
import { describeDatabase } from '../database/open.ts'
import { PurgeThread } from '../server/workers/purge-thread.ts'
import { explainingDatabase } from './database-trouble.ts'
import { type ConfigOptions, configOf } from './options.ts'
import { stopOnSignals } from './signals.ts'
import { styleFor } from './style.ts'
import { version } from './version.ts'

/** `moulin worker`: works on purges without serving. Returns when it works; the process ends when a signal has stopped it. */
export async function work(options: ConfigOptions): Promise<void> {
  const config = await configOf(options)
  const style = styleFor(process.stderr)
  const logger = pino({ level: config.logging.level })
  const worker = await explainingDatabase(config, () =>
    PurgeThread.start({ config, logger, stopTimeout: config.server.shutdownTimeout }),
  )
  console.error(
    [
      `${style.bold(`Moulin ${version()}`)} works on the purges of ${Object.keys(config.warehouses).join(', ')}`,
      `  database   ${describeDatabase(config.database.url)}`,
      style.dim('Ctrl-C stops it: batches in flight are finished, the rest is handed back.'),
    ].join('\n'),
  )
  stopOnSignals(async (signal) => {
    console.error(style.dim(`${signal}: finishing the batches in flight …`))
    await worker.stop()
  })
}
