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
  const rules: Record<string, number> = { ...a.rules }
  for (const [rule, count] of Object.entries(b.rules)) rules[rule] = (rules[rule] ?? 0) + count
  return { counts: addCounts(a.counts, b.counts), bytes: addCounts(a.bytes, b.bytes), rules }
}

export const emptyTally: Tally = { counts: {}, bytes: {}, rules: {} }

/** Reads a tally from the ledger. */
export function parseTally(text: string): Tally {
  return { ...emptyTally, ...(JSON.parse(text) as Partial<Tally>) }
}

function combine(a: OutcomeCounts, b: OutcomeCounts, sign: 1 | -1): OutcomeCounts {
  const result: { [S in Stage]?: { [O in Outcome]?: number } } = {}
  for (const stage of stages) {
    for (const outcome of outcomes) {
      const count = (a[stage]?.[outcome] ?? 0) + sign * (b[stage]?.[outcome] ?? 0)
      if (count > 0) {
        result[stage] ??= {}
        result[stage][outcome] = count
      }
    }
  }
  return result
}
