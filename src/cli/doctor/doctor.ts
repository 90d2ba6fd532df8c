import type { Config } from '../../config/config.ts'
import { describeDatabase } from '../../database/open.ts'
import { type ConfigOptions, configOf } from '../options.ts'
import { plural, type Style, styleFor } from '../style.ts'
import { version } from '../version.ts'
import { checkDatabase } from './database.ts'
import { checkSinks } from './events.ts'
import { type Finding, printFinding } from './finding.ts'
import { checkPurgers } from './purgers.ts'
import { checkStorage } from './storage.ts'

/** `moulin doctor`. Prints findings as they come; the exit code is 1 when one of them is an error. */
export async function doctor(options: ConfigOptions): Promise<void> {
  const style = styleFor(process.stdout)
  const config = await configOf(options)
  const tally = { ok: 0, warning: 0, error: 0 }
  for await (const finding of examine(config, style)) {
    if (typeof finding === 'string') {
      console.log(finding)
    } else {
      tally[finding.level]++
      console.log(printFinding(finding, style))
    }
  }
  console.log(`\n${verdict(tally)}`)
  if (tally.error > 0) process.exitCode = 1
}

/** Headings and findings, in the order in which they are printed. */
async function* examine(config: Config, style: Style): AsyncGenerator<string | Finding> {
  yield style.bold(`Moulin ${version()} on Node.js ${process.versions.node}`)
  yield style.bold(`\nDatabase ${describeDatabase(config.database.url)}`)
  yield* checkDatabase(config.database)
  for (const [name, warehouse] of Object.entries(config.warehouses)) {
    yield style.bold(`\nWarehouse ${name}: ${warehouse.location}`)
    yield* checkStorage(warehouse)
    yield* checkPurgers(name, warehouse)
  }
  if (!config.events.sinks?.length) return
  yield style.bold('\nEvents')
  yield* checkSinks(config.events)
}

function verdict({ warning, error }: { warning: number; error: number }): string {
  if (error > 0) return `${plural(error, 'thing')} will not work; see ✗ above.`
  if (warning > 0) return `It will work. ${plural(warning, 'thing')} to think about; see ! above.`
  return 'All is well.'
}
