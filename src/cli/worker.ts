import { pino } from 'pino'
import type { Config } from '../config/config.ts'
import { describeDatabase } from '../database/open.ts'
import { startWorkerProcess, type WorkerProcess } from '../server/workers/worker-process.ts'
import { explainingDatabase } from './database-trouble.ts'
import { CommandError } from './failure.ts'
import { explainListening } from './listening.ts'
import { type ConfigOptions, configOf } from './options.ts'
import { stopOnSignals } from './signals.ts'
import { styleFor } from './style.ts'
import { version } from './version.ts'

interface WorkerOptions extends ConfigOptions {
  /** For health and metrics. */
  readonly port?: number
}

/** `moulin worker`: works on purges without serving. Returns when it works; the process ends when a signal has stopped it. */
export async function work({ port, ...options }: WorkerOptions): Promise<void> {
  const config = await configOf(options)
  const style = styleFor(process.stderr)
  const worker = await explainingDatabase(config, () => start(config, port))
  // Before anything says that it runs: whoever reads that may stop it at once.
  stopOnSignals(async (signal) => {
    console.error(style.dim(`${signal}: finishing the batches in flight …`))
    await worker.stop()
  })
  console.error(
    [
      `${style.bold(`Moulin ${version()}`)} works on the purges of ${Object.keys(config.warehouses).join(', ')}`,
      `  database   ${describeDatabase(config.database.url)}`,
      ...(worker.url === undefined ? [] : [`  health     ${worker.url}/readyz, metrics at /metrics`]),
      style.dim('Ctrl-C stops it: batches in flight are finished, the rest is handed back.'),
    ].join('\n'),
  )
}

async function start(config: Config, port: number | undefined): Promise<WorkerProcess> {
  try {
    return await startWorkerProcess(config, { logger: pino({ level: config.logging.level }), port })
  } catch (error) {
    const explanation =
      port === undefined
        ? undefined
        : explainListening(error as NodeJS.ErrnoException, config.server.host, port)
    throw explanation === undefined ? error : new CommandError(explanation, { cause: error })
  }
}
