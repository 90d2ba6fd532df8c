/**
 * Whatever purger a server has: of the same tables the same files are erased, and the certificates count the same paths.
 * `test_purge.py` makes the tables, with PyIceberg, and knows from it what has to come out.
 */
import { describe, it } from 'vitest'
import { pytest } from '../python/pytest.ts'
import { toolchain } from '../toolchain.ts'
import { purgers } from './purgers.ts'
import { Setting } from './setting.ts'

const python = toolchain('MOULIN_TEST_PYTHON', 'purgers')
const kafka = toolchain('MOULIN_TEST_KAFKA', 'purgers')
const kafkaPython = toolchain('MOULIN_TEST_KAFKA_PYTHON', 'purgers')

describe.skipIf(!python || !kafka || !kafkaPython)('tables of PyIceberg are purged alike', () => {
  it.each(purgers)('by $name: $engine', async ({ name, start }) => {
    await using setting = await Setting.open()
    await start(setting, { python: python!, kafka: kafka!, kafkaPython: kafkaPython! })
    await pytest(python!, { ...setting.environment, MOULIN_TEST_PURGER: name }, 'test_purge.py')
  })
})
