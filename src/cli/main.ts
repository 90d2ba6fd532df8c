#!/usr/bin/env node
import module from 'node:module'
import { fileURLToPath } from 'node:url'

const neededMajor = 24

if (Number(process.versions.node.split('.')[0]) < neededMajor) {
  console.error(
    `Moulin needs Node.js ${neededMajor} or newer; this is ${process.versions.node} (${process.execPath}).`,
  )
  process.exit(1)
}
// Compiled code is kept between starts, in the package's own folder (where that cannot be written, it is not kept).
// Everything else is imported after that.
module.enableCompileCache(fileURLToPath(new URL('../../.cache/compiled', import.meta.url)))
const { run } = await import('./program.ts')
await run(process.argv.slice(2))
