import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { serveMoulin } from '../serve.ts'
import { toolchain } from '../toolchain.ts'

const python = toolchain('MOULIN_TEST_SPARK', 'spark')

describe.skipIf(python === undefined)('Spark', () => {
  it('works, and its tables are purged to the last file', async () => {
    await using moulin = await serveMoulin((folder) => ({
      warehouses: { main: { location: join(folder, 'warehouse') } },
    }))
    const run = spawn(join(python!, 'python'), [join(import.meta.dirname, 'work.py')], {
      cwd: moulin.folder,
      env: {
        ...process.env,
        MOULIN_TEST_URI: moulin.url,
        MOULIN_TEST_FOLDER: join(moulin.folder, 'warehouse'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let printed = ''
    for (const stream of [run.stdout, run.stderr]) {
      stream.on('data', (chunk) => {
        printed += String(chunk)
      })
    }
    const [status] = await once(run, 'exit')
    console.log(printed.replace(/^(?!ok|all done|.*Error).*\n/gm, ''))
    expect(status, printed.slice(-6_000)).toBe(0)
  })
})
