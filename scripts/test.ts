/**
 * All suites, or those that are named: `npm test`, `npm test -- unit rck`. A suite whose toolchain is missing is
 * skipped, and says why; with MOULIN_REQUIRE_ALL_SUITES=1 that is a failure.
 */
import { spawnSync } from 'node:child_process'
import { java } from './toolchains/java.ts'
import { python } from './toolchains/python.ts'
import { spark } from './toolchains/spark.ts'
import { root, type Toolchain } from './toolchains/toolchain.ts'

interface Suite {
  readonly name: string
  readonly what: string
  readonly toolchain?: () => Toolchain
  readonly commands: readonly (readonly string[])[]
  /** Runs only when it is named. */
  readonly onDemand?: true
}

const bin = (name: string) => `${root}/node_modules/.bin/${name}`
const vitest = (...args: string[]) => [bin('vitest'), 'run', '--silent=passed-only', ...args]

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
  { name: 'unit', what: 'tests beside the code', commands: [vitest('--project', 'unit')] },
  {
    name: 'integration',
    what: 'SQLite, embedded PostgreSQL, local files, S3 over HTTP, the server, the command line',
    commands: [vitest('--project', 'integration')],
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
    name: 'spark',
    what: 'Spark 4.0 with the Iceberg 1.11 runtime',
    toolchain: spark,
    commands: [[bin('vitest'), 'run', '--project', 'interop', 'test/interop/spark']],
    onDemand: true,
  },
]

interface Result {
  readonly suite: Suite
  readonly outcome: 'passed' | 'failed' | 'skipped'
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
process.exitCode = results.some(({ outcome }) => outcome === 'failed') ? 1 : 0

function run(suite: Suite): Result {
  console.log(`\n=== ${suite.name}: ${suite.what}`)
  const began = performance.now()
  const seconds = () => Math.round((performance.now() - began) / 1_000)
  const toolchain = suite.toolchain?.() ?? { kind: 'ready', environment: {} }
  if (toolchain.kind === 'missing') {
    const outcome = requireAll ? 'failed' : 'skipped'
    const remedy = requireAll ? ' (MOULIN_REQUIRE_ALL_SUITES=1 requires it)' : ''
    console.log(`${outcome.toUpperCase()}: ${toolchain.reason}${remedy}`)
    return { suite, outcome, seconds: seconds(), note: toolchain.reason }
  }
  for (const [program, ...args] of suite.commands) {
    const { status } = spawnSync(program!, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...toolchain.environment },
    })
    if (status !== 0) return { suite, outcome: 'failed', seconds: seconds(), note: `${program} ${args[0]}` }
  }
  return { suite, outcome: 'passed', seconds: seconds(), note: '' }
}

function report(results: readonly Result[]): void {
  console.log('\nsuite        result   seconds')
  for (const { suite, outcome, seconds, note } of results) {
    console.log(`${suite.name.padEnd(12)} ${outcome.padEnd(8)} ${String(seconds).padStart(7)}  ${note}`)
  }
  const count = (outcome: Result['outcome']) => results.filter((result) => result.outcome === outcome).length
  const skipped = count('skipped') > 0 ? `, ${count('skipped')} skipped` : ''
  console.log(`\nsuites: ${count('passed')} passed, ${count('failed')} failed${skipped}`)
}
