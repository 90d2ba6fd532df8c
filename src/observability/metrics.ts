import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Database } from '../database/database.ts'
import { eventGauges } from './event-gauges.ts'

/** Everything that `/metrics` tells, in a registry of its own. */
export class Metrics {
  readonly registry = new Registry()
  readonly httpSeconds = new Histogram({
    name: 'moulin_http_request_duration_seconds',
    help: 'Time to answer, by route.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
    registers: [this.registry],
  })
  readonly commits = new Counter({
    name: 'moulin_commits_total',
    help: 'Pointers moved and entries made.',
    labelNames: ['warehouse', 'kind'] as const,
    registers: [this.registry],
  })
  readonly conflicts = new Counter({
    name: 'moulin_commit_conflicts_total',
    help: 'Commits that lost the compare-and-swap and began again.',
    labelNames: ['warehouse'] as const,
    registers: [this.registry],
  })
  readonly purges = new Counter({
    name: 'moulin_purge_attempts_total',
    help: 'Attempts at purges, by the state in which they left them.',
    labelNames: ['warehouse', 'state'] as const,
    registers: [this.registry],
  })
  readonly purgeSeconds = new Histogram({
    name: 'moulin_purge_attempt_duration_seconds',
    help: 'Time of one attempt at a purge.',
    labelNames: ['warehouse'] as const,
    buckets: [0.01, 0.1, 1, 10, 60, 600, 3600, 21600],
    registers: [this.registry],
  })
  readonly purgedPaths = new Counter({
    name: 'moulin_purge_paths_total',
    help: 'Paths that purges dealt with, by stage and outcome.',
    labelNames: ['warehouse', 'stage', 'outcome'] as const,
    registers: [this.registry],
  })
  readonly reports = new Counter({
    name: 'moulin_metrics_reports_total',
    help: 'Scan and commit reports received from clients.',
    labelNames: ['warehouse'] as const,
    registers: [this.registry],
  })

  constructor(database: Database) {
    collectDefaultMetrics({ register: this.registry })
    new Gauge({
      name: 'moulin_database_connections',
      help: 'Connections to the database that are open or idle, and requests that wait for one.',
      labelNames: ['state'] as const,
      registers: [this.registry],
      collect() {
        for (const [state, count] of Object.entries(database.poolStatistics())) this.set({ state }, count)
      },
    })
    eventGauges(database, this.registry)
  }
}
