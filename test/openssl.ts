import { spawnSync } from 'node:child_process'

/** Whether certificates can be made. Where they cannot, says what is skipped; with MOULIN_REQUIRE_ALL_SUITES=1 throws. */
export function isThereOpenssl(what: string): boolean {
  if (spawnSync('openssl', ['version']).status === 0) return true
  const reason = `${what} needs openssl, to make certificates`
  if (process.env.MOULIN_REQUIRE_ALL_SUITES === '1') throw new Error(reason)
  console.warn(`skipped: ${reason}`)
  return false
}
