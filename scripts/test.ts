/**
 * All suites, or those that are named: `npm test`, `npm test -- unit rck`. A suite whose toolchain is missing is
 * skipped, and says why; with MOULIN_REQUIRE_ALL_SUITES=1 that is a failure.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { java } from './toolchains/java.ts'
import { kafka } from './toolchains/kafka.ts'
import { python } from './toolchains/python.ts'
import { spark } from './toolchains/spark.ts'
import { cache, root, type Toolchain, together } from './toolchains/toolchain.ts'

interface Suite {
  readonly name: string
  readonly what: string
  readonly toolchain?: () => Toolchain
  readonly commands: readonly (readonly string[])[]
  /** Runs only when it is named. */
  readonly onDemand?: true
}

const bin = (name: string) => join(root, 'node_modules', '.bin', name)
/** Where vitest leaves what it counted. */
const vitestReport = join(cache, 'vitest.json')
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${vitestReport}`]
const bench = (...args: string[]) => [process.execPath, join(root, 'bench', 'main.ts'), ...args]
const vitest = (...args: string[]) => [bin('vitest'), 'run', ...reporters, ...args]

const suites: readonly Suite[] = [
  {
    name: 'lint',
    what: 'format, floors, promises, types',
    commands: [
      [bin('biome'), 'check', '.'],
      [bin('eslint'), '.'],
      [bin('tsc'), '--noEmit'],
    ],
  },
  {
    name: 'unit',
    what: 'tests beside the code',
    commands: [vitest('--silent=passed-only', '--project', 'unit')],
  },
  {
    name: 'integration',
    what: 'SQLite, embedded PostgreSQL, local files, S3 over HTTP, the server, the command line',
    commands: [vitest('--silent=passed-only', '--project', 'integration')],
  },
  {
    name: 'python',
    what: 'PyIceberg and SeaweedFS',
    toolchain: python,
    commands: [vitest('--project', 'interop', 'test/interop/python')],
  },
  {
    name: 'rck',
    what: "Iceberg's REST Compatibility Kit on SQLite and PostgreSQL",
    toolchain: java,
    commands: [vitest('--project', 'interop', 'test/interop/rck')],
  },
  {
    name: 'kafka',
    what: 'the purger kafka, its workers and consumers in other languages, on a Kafka 4 broker',
    toolchain: kafka,
    commands: [vitest('--project', 'kafka')],
  },
  {
    name: 'purgers',
    what: 'tables of PyIceberg purged by every purger, with equal results',
    toolchain: () => together(python, kafka),
    commands: [vitest('--project', 'interop', 'test/interop/purgers')],
  },
  {
    name: 'bench',
    what: 'every benchmark, small: that it runs, that no file is left, nothing refused, nobody starved and memory bounded',
    toolchain: () => together(python, java),
    commands: [
      bench('scan', '--entries', '2000', '--rounds', '3'),
      bench('erase', '--store', 'stand-in,delayed', '--files', '20000', '--rounds', '1', '--warm-up', 'none'),
      bench('latency', '--subjects', 'sql-async,reference', '--seconds', '3', '--largest', '10000'),
      bench('fairness', '--tables', '300', '--huge', '20000'),
      bench('memory', '--files', '10000,200000', '--snapshots', '500'),
    ],
  },
  {
    name: 'spark',
    what: 'Spark 4.0 with the Iceberg 1.11 runtime',
    toolchain: spark,
    commands: [vitest('--project', 'interop', 'test/interop/spark')],
    onDemand: true,
  },
]

/** Tests, or the commands of a suite that has no tests. */
interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

interface Result extends Counts {
  readonly suite: Suite
  readonly seconds: number
  readonly note: string
}

const named = process.argv.slice(2)
const unknown = named.filter((name) => !suites.some((suite) => suite.name === name))
if (unknown.length > 0) {
  console.error(
    `No such suite: ${unknown.join(', ')}. There are: ${suites.map(({ name }) => name).join(', ')}`,
  )
  process.exit(2)
}
const requireAll = process.env.MOULIN_REQUIRE_ALL_SUITES === '1'
const chosen = suites.filter(({ name, onDemand }) => (named.length === 0 ? !onDemand : named.includes(name)))
const results = chosen.map(run)
report(results)
process.exitCode = results.some(({ failed }) => failed > 0) ? 1 : 0

function run(suite: Suite): Result {
  console.log(`\n=== ${suite.name}: ${suite.what}`)
  const began = performance.now()
  const seconds = () => Math.round((performance.now() - began) / 1_000)
  const toolchain = suite.toolchain?.() ?? { kind: 'ready', environment: {} }
  if (toolchain.kind === 'missing') {
    const note = `${toolchain.reason}${requireAll ? ' (MOULIN_REQUIRE_ALL_SUITES=1 requires it)' : ''}`
    console.log(`${requireAll ? 'FAILED' : 'SKIPPED'}: ${note}`)
    const counts = { passed: 0, failed: requireAll ? 1 : 0, skipped: requireAll ? 0 : 1 }
    return { suite, ...counts, seconds: seconds(), note }
  }
  const counts = suite.commands.map((command) => execute(command, toolchain.environment))
  return { suite, ...sum(counts), seconds: seconds(), note: '' }
}

function execute(
  [program, ...args]: readonly string[],
  environment: Readonly<Record<string, string>>,
): Counts {
  mkdirSync(cache, { recursive: true })
  rmSync(vitestReport, { force: true })
  const { status } = spawnSync(program!, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...environment },
  })
  const tests = existsSync(vitestReport)
    ? countTests()
    : { passed: status === 0 ? 1 : 0, failed: 0, skipped: 0 }
  // A file that cannot be loaded, or an error between the tests, fails no test but the run.
  return status !== 0 && tests.failed === 0 ? { ...tests, failed: 1 } : tests
}

function countTests(): Counts {
  const counted = JSON.parse(readFileSync(vitestReport, 'utf8')) as Record<string, number>
  return {
    passed: counted.numPassedTests!,
    failed: counted.numFailedTests!,
    skipped: counted.numPendingTests! + counted.numTodoTests!,
  }
}

function sum(counts: readonly Counts[]): Counts {
  const total = (name: keyof Counts) => counts.reduce((soFar, each) => soFar + each[name], 0)
  return { passed: total('passed'), failed: total('failed'), skipped: total('skipped') }
}

function report(results: readonly Result[]): void {
  console.log('\nsuite        passed  failed  skipped  seconds')
  for (const { suite, passed, failed, skipped, seconds, note } of results) {
    const columns = [
      [passed, 6],
      [failed, 8],
      [skipped, 9],
      [seconds, 9],
    ] as const
    const numbers = columns.map(([number, width]) => String(number).padStart(width)).join('')
    console.log(`${suite.name.padEnd(12)} ${numbers}  ${note}`.trimEnd())
  }
  const { passed, failed, skipped } = sum(results)
  console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
}
