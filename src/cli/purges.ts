/** `moulin purges …`: what a running server says of its purges, over the management API. */
import { systemClock } from '../purge/clock.ts'
import { askServer, type ManagementOptions } from './management.ts'
import { countsText, type PurgeBody, printPurge, stateText, tableText } from './purge-text.ts'
import { styleFor } from './style.ts'
import { watch } from './watch.ts'
import { WatchOutput } from './watch-output.ts'

/** The latest purges, a line each. */
export async function listPurges(options: ManagementOptions): Promise<void> {
  const { purges } = (await askServer(options, 'GET', 'purges')) as { purges: readonly PurgeBody[] }
  const style = styleFor(process.stdout)
  if (purges.length === 0) console.log('No table or view was dropped with purge yet.')
  for (const purge of purges) {
    const when = new Date(purge['requested-at']).toISOString().slice(0, 19)
    console.log(
      `${purge.id}  ${when}  ${stateText(purge, style)}  ${tableText(purge)}  ${countsText(purge.counts)}`,
    )
  }
}

/** Everything about one purge. */
export async function showPurge(id: string, options: ManagementOptions): Promise<void> {
  printPurge((await askServer(options, 'GET', purgePath(id))) as PurgeBody)
}

/** Has a failed purge tried again. */
export async function retryPurge(
  id: string,
  options: ManagementOptions & { readonly byLocation: boolean },
): Promise<void> {
  await askServer(options, 'POST', `${purgePath(id)}/retry`, { 'by-location': options.byLocation })
  console.log(`Purge ${id} will be tried again: moulin purges watch ${id}`)
}

/**
 * Shows how far a purge has come until it has ended. Exit code 1 unless it has succeeded. Throws CommandError with exit code 3 when
 * it cannot be watched.
 */
export async function watchPurge(id: string, options: ManagementOptions): Promise<void> {
  const ask = async () => (await askServer(options, 'GET', purgePath(id))) as PurgeBody
  const output = new WatchOutput(process.stderr, styleFor(process.stderr), systemClock)
  const purge = await watch({ ask, output, clock: systemClock })
  printPurge(purge)
  if (purge.state !== 'succeeded') process.exitCode = 1
}

function purgePath(id: string): string {
  return `purges/${encodeURIComponent(id)}`
}
