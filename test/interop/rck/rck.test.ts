import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createDatabase, dialects } from '../../../src/testing/databases.ts'
import { serveMoulin } from '../serve.ts'
import { toolchain } from '../toolchain.ts'

const classPath = toolchain('MOULIN_TEST_CLASS_PATH', 'rck')

/** Of 157 tests; the other ten assume what no flag of the kit turns on. */
const expectedPasses = 147

describe.skipIf(classPath === undefined)("Iceberg's REST Compatibility Kit", () => {
  for (const dialect of dialects) {
    it(`passes on ${dialect} and local files`, async () => {
      await using database = await testDatabase(dialect)
      await using moulin = await serveMoulin((folder) => ({
        database: { url: database.url },
        warehouses: {
          // The kit chooses locations in the system's folder for temporary files.
          main: {
            location: join(folder, 'warehouse'),
            storage: { type: 'local', allowedLocations: ['/tmp'] },
          },
        },
      }))
      const results = await runKit(moulin.url, moulin.folder)
      console.log(
        `Compatibility Kit on ${dialect}: ${results.passed.length} passed, ${results.failed.length} failed, ` +
          `${results.notRun.length} not run:\n${results.notRun.join('\n')}`,
      )
      expect(results.failed, results.failed.join('\n')).toEqual([])
      expect(results.passed.length).toBeGreaterThanOrEqual(expectedPasses)
    })
  }
})

async function testDatabase(dialect: (typeof dialects)[number]) {
  const database = await createDatabase(dialect)
  return { url: database.url, [Symbol.asyncDispose]: () => database.close() }
}

interface KitResults {
  readonly passed: readonly string[]
  readonly failed: readonly string[]
  /** Disabled by the kit, or aborted because it assumes what no flag turns on; each with the reason. */
  readonly notRun: readonly string[]
}

async function runKit(url: string, folder: string): Promise<KitResults> {
  const reports = join(folder, 'reports')
  mkdirSync(reports)
  const kit = spawn(
    'java',
    [
      '-Xmx1g',
      '-cp',
      classPath!,
      '-Drck.local=false',
      '-Drck.requires-namespace-create=true',
      '-Drck.supports-names-with-dot=true',
      `-Duri=${url}/`,
      '-Dwarehouse=main',
      'org.junit.platform.console.ConsoleLauncher',
      'execute',
      '--select-class=org.apache.iceberg.rest.RESTCompatibilityKitSuite',
      '--config=rck.local=false',
      '--details=none',
      `--reports-dir=${reports}`,
    ],
    { cwd: folder, stdio: 'ignore' },
  )
  await once(kit, 'exit')
  return parseReport(readFileSync(join(reports, 'TEST-junit-platform-suite.xml'), 'utf8'))
}

/** Names of the tests by outcome, out of JUnit's XML. */
function parseReport(xml: string): KitResults {
  const passed: string[] = []
  const failed: string[] = []
  const notRun: string[] = []
  for (const [, attributes = '', body = ''] of xml.matchAll(
    /<testcase ([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs,
  )) {
    const name = /name="([^"]*)"/.exec(attributes)?.[1] ?? '?'
    if (/<(?:failure|error)\b/.test(body)) failed.push(name)
    else if (/<skipped\b/.test(body)) notRun.push(`  ${name}: ${reasonOf(body)}`)
    else passed.push(name)
  }
  return { passed, failed, notRun }
}

function reasonOf(body: string): string {
  const [, text = ''] = /<skipped\b[^>]*>(?:<!\[CDATA\[)?(.*?)(?:\n|\]\]>|<\/skipped>)/s.exec(body) ?? []
  const reason = text.replace(/^.*?AssumptionViolatedException: assumption was not met due to:/, '')
  return reason.trim().replace(/^\[(.*)\]$/, '$1') || 'an assumption without a message'
}
