import { type Outcome, type OutcomeCounts, outcomes, type Stage, stages, type Tally } from './purger.ts'

/** The sum of two counts, stage by stage and outcome by outcome. */
export function addCounts(a: OutcomeCounts, b: OutcomeCounts): OutcomeCounts {
  return combine(a, b, 1)
}

/** What is left of the first when the second is taken away; never below zero. */
export function subtractCounts(a: OutcomeCounts, b: OutcomeCounts): OutcomeCounts {
  return combine(a, b, -1)
}

/** Paths of one outcome over all stages. */
export function countOf(counts: OutcomeCounts, outcome: Outcome): number {
  return stages.reduce((sum, stage) => sum + (counts[stage]?.[outcome] ?? 0), 0)
}

export function addTallies(a: Tally, b: Tally): Tally {
  return {
    counts: addCounts(a.counts, b.counts),
    bytes: addCounts(a.bytes, b.bytes),
    rules: addNamed(a.rules, b.rules),
    containers: addNamed(a.containers, b.containers),
  }
}

export const emptyTally: Tally = { counts: {}, bytes: {}, rules: {}, containers: {} }

/** Reads a tally from the ledger. */
export function parseTally(text: string): Tally {
  return { ...emptyTally, ...(JSON.parse(text) as Partial<Tally>) }
}

function combine(a: OutcomeCounts, b: OutcomeCounts, sign: 1 | -1): OutcomeCounts {
  const result: { [S in Stage]?: { [O in Outcome]?: number } } = {}
  for (const stage of stages) {
    for (const outcome of outcomes) {
      const exact = (a[stage]?.[outcome] ?? 0) + sign * (b[stage]?.[outcome] ?? 0)
      // Sizes are what a writer has written down, and may be anything: a sum stays a number that JSON can hold.
      const count = Math.min(exact, Number.MAX_SAFE_INTEGER)
      if (count > 0) {
        result[stage] ??= {}
        result[stage][outcome] = count
      }
    }
  }
  return result
}

/** Names come from the table's files, and may be any number. */
const maxNames = 100

function addNamed(a: Readonly<Record<string, number>> = {}, b: Readonly<Record<string, number>> = {}) {
  const sum: Record<string, number> = { ...a }
  for (const [name, count] of Object.entries(b)) {
    if (name in sum || Object.keys(sum).length < maxNames) sum[name] = (sum[name] ?? 0) + count
  }
  return sum
}
