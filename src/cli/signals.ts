/**
 * Milliseconds within which a second signal is taken for an echo of the first: Ctrl-C reaches every process of the
 * terminal, and npm passes it on once more.
 */
const echo = 500

/** On SIGINT or SIGTERM stops and exits with 0, or with 1 when that fails. A second signal exits at once. */
export function stopOnSignals(stop: (signal: NodeJS.Signals) => Promise<void>): void {
  let stoppingSince: number | undefined
  const onSignal = (signal: NodeJS.Signals) => {
    if (stoppingSince !== undefined) {
      if (performance.now() - stoppingSince > echo) process.exit(signal === 'SIGINT' ? 130 : 143)
      return
    }
    stoppingSince = performance.now()
    stop(signal).then(
      () => process.exit(0),
      (error) => {
        console.error(error)
        process.exit(1)
      },
    )
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
}
