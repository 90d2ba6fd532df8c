/** `npm run bench -- NAME [ARGUMENT …]` runs `bench/NAME/index.ts`; without a name it lists what there is. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

interface Bench {
  /** One line for the list. */
  readonly description: string
  run(args: string[]): Promise<void>
}

const [name, ...args] = process.argv.slice(2)
const names = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(import.meta.dirname, entry.name, 'index.ts')))
  .map((entry) => entry.name)
  .sort()

if (name !== undefined && names.includes(name)) {
  const bench = await load(name)
  await bench.run(args)
} else {
  if (name !== undefined && name !== '--help') {
    console.error(`There is no bench ${JSON.stringify(name)}.`)
    process.exitCode = 2
  }
  console.log('Usage: npm run bench -- NAME [ARGUMENT …]\n')
  for (const each of names) console.log(`  ${each.padEnd(12)} ${(await load(each)).description}`)
}

async function load(name: string): Promise<Bench> {
  return (await import(pathToFileURL(join(import.meta.dirname, name, 'index.ts')).href)) as Bench
}
