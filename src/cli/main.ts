#!/usr/bin/env node
import module from 'node:module'

const neededMajor = 24

if (Number(process.versions.node.split('.')[0]) < neededMajor) {
  console.error(
    `Moulin needs Node.js ${neededMajor} or newer; this is ${process.versions.node} (${process.execPath}).`,
  )
  process.exit(1)
}
// Compiled code is kept between starts; everything else is imported after that.
module.enableCompileCache()
const { run } = await import('./program.ts')
await run(process.argv.slice(2))
