import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { forEachDatabase } from '../../src/testing/databases.ts'
import { openCatalog, table } from './fixture.ts'

forEachDatabase((dialect) => {
  it(`${dialect}: kill -9 in the middle of commits loses none that was confirmed`, async () => {
    await using test = await openCatalog(dialect)
    await test.catalog.createNamespace(['ns'], {})
    for (const name of ['t0', 't1', 't2']) await test.catalog.createTable(['ns'], table(name))
    const confirmed: string[] = []
    const program = fileURLToPath(new URL('./committer.ts', import.meta.url))
    for (let round = 0; round < 3; round++) {
      const child = spawn(process.execPath, [program, test.url, test.folder, String(round)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const until = confirmed.length + 20 + 7 * round
      for await (const line of createInterface({ input: child.stdout })) {
        confirmed.push(line)
        if (confirmed.length === until) child.kill('SIGKILL')
      }
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      expect(child.signalCode).toBe('SIGKILL')
    }
    const stored = new Set<string>()
    for (const name of ['t0', 't1', 't2']) {
      const { model } = (await test.catalog.loadTable({ namespace: ['ns'], name })).document
      for (const key of Object.keys(model.properties)) stored.add(`${name} ${key}`)
    }
    expect(confirmed.filter((line) => !stored.has(line))).toEqual([])
    // At most one commit of each lane and round was under way.
    expect([...stored].filter((line) => / r/.test(line)).length - confirmed.length).toBeLessThanOrEqual(18)
  })
})
