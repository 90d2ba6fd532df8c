import type { Metrics } from '../observability/metrics.ts'
import type { PurgeObserver } from '../purge/run-attempt.ts'

/** Counts what the purges of one warehouse do. */
export function purgeObserver(metrics: Metrics, warehouse: string): PurgeObserver {
  return {
    progressed: (counts) => {
      for (const [stage, outcomes] of Object.entries(counts)) {
        for (const [outcome, count] of Object.entries(outcomes ?? {})) {
          metrics.purgedPaths.inc({ warehouse, stage, outcome }, count)
        }
      }
    },
    finished: (state, milliseconds) => {
      metrics.purges.inc({ warehouse, state })
      metrics.purgeSeconds.observe({ warehouse }, milliseconds / 1_000)
    },
  }
}
