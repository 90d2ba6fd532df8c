/**
 * A toolchain that `scripts/test.ts` has prepared, by the environment variable that it sets. Without it, the reason is
 * printed and the suite skipped; with MOULIN_REQUIRE_ALL_SUITES=1 this throws it.
 */
export function toolchain(variable: string, suite: string): string | undefined {
  const value = process.env[variable]
  if (value === undefined || value === '') {
    const reason = `${variable} is not set; run the suite with: npm test -- ${suite}`
    if (process.env.MOULIN_REQUIRE_ALL_SUITES === '1') throw new Error(reason)
    console.warn(`skipped: ${reason}`)
    return undefined
  }
  return value
}
