#!/usr/bin/env node
import { enableCompileCache } from 'node:module'

// Compiled code is kept between starts; everything else is imported after that.
enableCompileCache()
const { run } = await import('./program.ts')
await run(process.argv.slice(2))
