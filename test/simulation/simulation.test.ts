import { expect, it } from 'vitest'
import { openSimulationDatabase } from './database.ts'
import { simulate } from './simulate.ts'

/** Seeds of one run; more with MOULIN_SEEDS, one certain with MOULIN_SEED. */
const seeds =
  process.env.MOULIN_SEED === undefined
    ? Array.from({ length: Number(process.env.MOULIN_SEEDS ?? 150) }, (_, index) => index + first())
    : [Number(process.env.MOULIN_SEED)]

function first(): number {
  return Number(process.env.MOULIN_FIRST_SEED ?? 1)
}

it(
  `the engine in ${seeds.length} worlds of faults: no leak, no foreign deletion, no false success`,
  async () => {
    await using simulation = await openSimulationDatabase()
    for (const seed of seeds) {
      const wrongs = await simulate(seed, simulation)
      expect(wrongs, `MOULIN_SEED=${seed} npm run vitest -- run test/simulation repeats it`).toEqual([])
    }
  },
  30_000 + seeds.length * 1_000,
)
