import { type Outcome, type OutcomeCounts, outcomes, type Stage, stages } from './purger.ts'

/** The sum of two counts, stage by stage and outcome by outcome. */
export function addCounts(a: OutcomeCounts, b: OutcomeCounts): OutcomeCounts {
  const sum: { [S in Stage]?: { [O in Outcome]?: number } } = {}
  for (const stage of stages) {
    for (const outcome of outcomes) {
      const count = (a[stage]?.[outcome] ?? 0) + (b[stage]?.[outcome] ?? 0)
      if (count > 0) {
        sum[stage] ??= {}
        sum[stage][outcome] = count
      }
    }
  }
  return sum
}

/** Paths of one outcome over all stages. */
export function countOf(counts: OutcomeCounts, outcome: Outcome): number {
  return stages.reduce((sum, stage) => sum + (counts[stage]?.[outcome] ?? 0), 0)
}
