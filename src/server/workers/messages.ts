import type { Config } from '../../config/config.ts'
import type { OutcomeCounts } from '../../purge/purger.ts'
import type { PurgeState } from '../../purge/states.ts'

/** What the thread begins with. */
export interface ThreadData {
  readonly config: Config
  /** Level of the log. */
  readonly level: string
}

/** From the server to the thread. */
export type Order = 'notify' | 'stop'

/** From the thread to the server. */
export type News =
  /** Everything is open. */
  | { readonly kind: 'started' }
  | { readonly kind: 'progressed'; readonly warehouse: string; readonly counts: OutcomeCounts }
  | {
      readonly kind: 'finished'
      readonly warehouse: string
      readonly state: PurgeState
      readonly milliseconds: number
    }
