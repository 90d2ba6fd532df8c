/**
 * A toolchain that `scripts/test.ts` has prepared, by the environment variable that it sets. Without it, the reason is
 * printed and the suite skipped.
 */
export function toolchain(variable: string, suite: string): string | undefined {
  const value = process.env[variable]
  if (value === undefined || value === '') {
    console.warn(`skipped: ${variable} is not set; run the suite with: npm test -- ${suite}`)
    return undefined
  }
  return value
}
