/** What a contract suite needs of a test runner: Vitest's, Jest's and `node:test`'s functions all fit. */
export interface TestRunner {
  describe(name: string, define: () => void): unknown
  it(name: string, test: () => Promise<void>): unknown
}
