import { resolve } from 'node:path'
import type { Config } from '../config/config.ts'
import { isLoopback } from '../config/loopback.ts'
import { describeDatabase } from '../database/open.ts'
import { type Moulin, startMoulin } from '../server/moulin.ts'
import { connectionLines } from './connection-lines.ts'
import { explainingDatabase } from './database-trouble.ts'
import { CommandError } from './failure.ts'
import { explainListening } from './listening.ts'
import { type ConfigOptions, configOf } from './options.ts'
import { stopOnSignals } from './signals.ts'
import { type Style, styleFor } from './style.ts'
import { version } from './version.ts'

interface ServeOptions extends ConfigOptions {
  readonly host?: string
  readonly port?: number
  /** False with `--no-workers`. */
  readonly workers: boolean
}

/**
 * `moulin serve`. What is meant for people goes to standard error; standard output is the log's. Returns when the
 * server listens; the process ends when a signal has stopped it.
 */
export async function serve(options: ServeOptions): Promise<void> {
  const config = await configOf(options)
  const style = styleFor(process.stderr)
  if (!isLoopback(config.server.host)) console.error(insecureWarning(config, style))
  const moulin = await explainingDatabase(config, () => start(config, options.workers))
  // Before anything says that it runs: whoever reads that may stop it at once.
  stopOnSignals(async (signal) => {
    console.error(style.dim(`${signal}: finishing the requests under way …`))
    await moulin.close()
  })
  console.error(welcome(config, moulin, options, style))
}

async function start(config: Config, workers: boolean): Promise<Moulin> {
  const { host, port } = config.server
  try {
    return await startMoulin(config, { workers })
  } catch (error) {
    const explanation = explainListening(error as NodeJS.ErrnoException, host, port)
    throw explanation === undefined ? error : new CommandError(explanation, { cause: error })
  }
}

function insecureWarning(config: Config, style: Style): string {
  return [
    style.red('! Nobody is authenticated, and the server is about to listen beyond this machine.'),
    `  Whoever reaches ${config.server.host}:${config.server.port} can read, drop and purge every table (server.allowInsecure).`,
    '',
  ].join('\n')
}

function welcome(config: Config, moulin: Moulin, options: ServeOptions, style: Style): string {
  const file = options.config === undefined ? undefined : resolve(options.config)
  const warehouses = Object.entries(config.warehouses)
  const width = Math.max(...warehouses.map(([name]) => name.length))
  return [
    `${style.bold(`Moulin ${version()}`)} serves ${style.cyan(moulin.url)}`,
    `  database   ${describeDatabase(config.database.url)}`,
    ...warehouses.map(
      ([name, { location, purge }], index) =>
        `  ${index === 0 ? 'warehouse ' : '          '} ${name.padEnd(width)}  ${location}  ${style.dim(`purge: ${purge.purger}`)}`,
    ),
    ...(file === undefined ? [] : [`  configured ${file}`]),
    ...(options.workers ? [] : ['  workers    none here: moulin worker has to run somewhere']),
    '',
    ...connectionLines(moulin.url, warehouses[0]![0], warehouses[0]![1], style),
    '',
    style.dim('Ctrl-C stops it. The log follows on standard output.'),
  ].join('\n')
}
