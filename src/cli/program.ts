import { Command, InvalidArgumentError } from 'commander'
import { CommandError, reportFailure } from './failure.ts'
import { parsePort, withConfigOptions, withServerOptions } from './options.ts'
import { version } from './version.ts'

/**
 * Parses the command line and runs the command. Each command is imported only when it is asked for. Exit codes: 0 done,
 * 1 failed (the reason is on standard error), 2 the command line is wrong, 3 a purge could not be watched.
 */
export async function run(args: readonly string[]): Promise<void> {
  const program = buildProgram()
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    reportFailure(error, { verbose: args.includes('--verbose') })
  }
}

function buildProgram(): Command {
  const program = new Command('moulin')
    .description('Apache Iceberg REST catalog whose DROP TABLE … PURGE always finishes.')
    .version(version(), '-V, --version', 'print the version')
    .helpCommand('help [command]', 'explain a command')
    .showSuggestionAfterError()
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .addHelpText('after', examples)

  withConfigOptions(program.command('serve'))
    .summary('serve the catalog')
    .description(
      'Serves the Iceberg REST API. Without a configuration: a SQLite database and a warehouse named "default" in ./moulin-data, on http://127.0.0.1:8181.',
    )
    .option('--host <address>', 'address to listen on, instead of server.host')
    .option('--no-workers', 'leave the purges to other servers, or to moulin worker')
    .option('-p, --port <number>', 'port to listen on, instead of server.port; 0 for any free one', parsePort)
    .addHelpText(
      'after',
      `
Examples:
  moulin serve                             try it out: nothing to configure
  moulin serve --config moulin.yaml        PostgreSQL, S3, several warehouses: whatever the file says
  MOULIN_SERVER__PORT=9000 moulin serve    every key of the file can be set by a variable

SIGINT or SIGTERM finishes the requests under way, then stops; a second one stops at once.`,
    )
    .action(async (options) => (await import('./serve.ts')).serve(options))

  withConfigOptions(program.command('worker'))
    .summary('work on purges, without serving')
    .description(
      'Erases the files of tables that were dropped with purge, as `serve` does beside its requests, in a process of its own: on as many machines as wanted, with the same configuration as the servers. Purges are claimed from the database, so nothing else connects them.',
    )
    .option(
      '-p, --port <number>',
      'port, at server.host, for /livez, /readyz and /metrics; 0 for any free one (default: none)',
      parsePort,
    )
    .option('--kafka', 'do tasks of the purger kafka instead, as a member of its consumer group')
    .addHelpText(
      'after',
      `
Examples:
  moulin worker --config moulin.yaml              one more hand
  moulin worker --port 9100 --config moulin.yaml  one that monitoring can ask
  moulin worker --kafka --config moulin.yaml      one more consumer of the tasks in Kafka
  moulin serve --no-workers --config moulin.yaml  a server that only serves

SIGINT or SIGTERM finishes the batches in flight and hands the purges back; a second one stops at once.`,
    )
    .action(async ({ kafka, ...options }) => {
      if (!kafka) return await (await import('./worker.ts')).work(options)
      if (options.port !== undefined)
        throw new CommandError('--port is not for --kafka: leave one of them out.')
      await (await import('./worker-kafka.ts')).workOnKafka(options)
    })

  program
    .command('demo')
    .summary('see a purge happen, on this machine, in half a minute')
    .description(
      'Starts a server on a free port and a temporary folder, makes Iceberg tables of real files, drops one of them with purge over HTTP, and accounts for every file by listing the disk. Asks nothing and leaves nothing behind.',
    )
    .option('--files <number>', 'data files of the table that is dropped', parseFiles, 8000)
    .option('--keep', 'leave the folder, to look at it afterwards')
    .option('--verbose', 'show stacks of errors')
    .action(async (options) => (await import('./demo/demo.ts')).demo(options))

  withConfigOptions(program.command('migrate'))
    .summary('bring the database to what this version needs')
    .description(
      'Applies the migrations that are missing, all or none of them. `serve` does it by itself; this command is for those who want it done at another time, or by another user. Safe while servers run.',
    )
    .option('--check', 'only say what would be applied; exit code 1 when there is something')
    .action(async (options) => (await import('./migrate.ts')).migrateDatabase(options))

  withConfigOptions(program.command('doctor'))
    .summary('check database, storage, purgers and clock, and say what to do')
    .description(
      'Checks what a server with this configuration will need: connects to the database and writes (rolled back), writes, lists and deletes a small file in every warehouse, asks S3 buckets for versioning and object lock, makes the purgers and the sinks of events, tries whether Kafka takes connections, compares clocks. Exit code 1 when something will not work.',
    )
    .action(async (options) => (await import('./doctor/doctor.ts')).doctor(options))

  const purges = program
    .command('purges')
    .summary('see the purges of a running server, try failed ones again')
  const purgeCommand = (usage: string, summary: string) =>
    withServerOptions(purges.command(usage)).summary(summary).description(summary)
  purgeCommand('list', 'the latest purges, a line each').action(async (options) =>
    (await import('./purges.ts')).listPurges(options),
  )
  purgeCommand('show <id>', 'everything about one purge, with the paths that could not be erased').action(
    async (id, options) => (await import('./purges.ts')).showPurge(id, options),
  )
  purgeCommand('retry <id>', 'try a failed purge again')
    .option(
      '--by-location',
      'its metadata or manifests cannot be read any more: erase all that lies at the locations that the catalog assigned to it',
      false,
    )
    .action(async (id, options) => (await import('./purges.ts')).retryPurge(id, options))
  purgeCommand('watch <id>', 'follow a purge to its end, through restarts of the server')
    .addHelpText(
      'after',
      `
Exit codes: 0 when it has succeeded; 1 when it has failed, was held or cancelled; 3 when it could not be watched: there is
no such purge, no server answers, or none did for a minute.`,
    )
    .action(async (id, options) => (await import('./purges.ts')).watchPurge(id, options))

  const certificates = program
    .command('certificates')
    .summary('take out the accounts of finished purges, and check them')
  withServerOptions(certificates.command('export'))
    .summary('print the certificates of a warehouse, one a line')
    .description('Prints the certificates of a warehouse with their hashes, one a line (NDJSON).')
    .requiredOption('--warehouse <name>', 'whose certificates')
    .option('--after <sequence>', 'only those after this one', '0')
    .action(async (options) => (await import('./certificates.ts')).exportCertificates(options))
  certificates
    .command('verify <file>')
    .summary('check an export: nothing changed, nothing missing')
    .description(
      'Checks an export (- for standard input) without any server: each certificate has its hash, and names the one before it. Exit code 1 when one was changed or is missing.',
    )
    .option(
      '--head <hash>',
      'that one of the certificates must have: noted earlier, it shows that the end was not cut off',
    )
    .option('--from-start', 'every chain must begin with its first certificate')
    .option('--verbose', 'show stacks of errors')
    .action(async (file, options) => (await import('./certificates.ts')).verifyExport(file, options))

  const config = program.command('config').summary('show the configuration, or its JSON Schema')
  withConfigOptions(config.command('show'))
    .description(
      'Prints the configuration as it takes effect: file, environment and defaults. Secrets are hidden.',
    )
    .action(async (options) => (await import('./config.ts')).showConfig(options))
  config
    .command('schema')
    .description('Prints the JSON Schema of the configuration file, for editors and for checks.')
    .action(async () => (await import('./config.ts')).printSchema())

  return program
}

const examples = `
Examples:
  moulin demo                              watch a table being purged; half a minute, nothing left behind
  moulin serve                             a catalog at http://127.0.0.1:8181, data in ./moulin-data
  moulin doctor --config moulin.yaml       will it work with this configuration?
  moulin config show --config moulin.yaml  what takes effect, secrets hidden`

function parseFiles(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text) || Number(text) < 20) {
    throw new InvalidArgumentError('Expected an integer from 20 to 999999.')
  }
  return Number(text)
}
