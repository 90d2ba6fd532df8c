/**
 * A server's worth of commits until it is killed: `committer.ts URL FOLDER ROUND`. Prints the name of each property
 * whose commit was confirmed.
 */
import { writeSync } from 'node:fs'
import { openDatabase } from '../../src/database/open.ts'
import { catalogOn, setProperties } from './fixture.ts'

if (import.meta.main) {
  const [url, folder, round] = process.argv.slice(2)
  const catalog = catalogOn(await openDatabase(url!), folder!)
  const lanes = Array.from({ length: 6 }, async (_, lane) => {
    const identifier = { namespace: ['ns'], name: `t${lane % 3}` }
    for (let n = 0; ; n++) {
      const key = `r${round}-${lane}-${n}`
      await catalog.commitTable(identifier, setProperties({ [key]: 'x' }))
      writeSync(1, `t${lane % 3} ${key}\n`)
    }
  })
  await Promise.all(lanes)
}
