import { pino } from 'pino'
import type { WarehouseConfig } from '../../config/config.ts'
import type { PurgerContext } from '../../purge/purger.ts'
import { openPurgers } from '../../server/purgers.ts'
import { checkBrokers } from './brokers.ts'
import { error, type Finding, ok } from './finding.ts'

/** Makes the purgers of a warehouse as `serve` does, those of its routes, too, and closes them. Erases nothing. */
export async function* checkPurgers(
  name: string,
  { location, purge }: WarehouseConfig,
): AsyncGenerator<Finding> {
  const context: PurgerContext = {
    logger: pino({ level: 'silent' }),
    warehouse: { name, location },
    serverIdentity: 'doctor',
    works: false,
    deliver: async () => false,
  }
  try {
    const purgers = await openPurgers(purge, context)
    await purgers.close()
  } catch (thrown) {
    yield error(
      `has a purger that cannot be used: ${(thrown as Error).message}`,
      'Correct that key; docs/guides/purges.md has a list of the purgers and of their guides.',
    )
    return
  }
  const named = [purge, ...purge.routes]
  yield ok(`is purged by ${named.map(({ purger }) => purger).join(', ')}`)
  const kafka = named.find(({ purger }) => purger === 'kafka')
  if (kafka) yield await checkBrokers(kafka.options, 'for the purger kafka')
}
