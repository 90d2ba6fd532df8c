/** How SQLite would run the queries that a piece of code makes. */
import type { KyselyPlugin, PluginTransformQueryArgs, QueryId, RootOperationNode } from 'kysely'
import type { Database, Transaction } from '../../src/database/database.ts'

class Recorder implements KyselyPlugin {
  readonly queries: { readonly node: RootOperationNode; readonly queryId: QueryId }[] = []

  transformQuery({ node, queryId }: PluginTransformQueryArgs): RootOperationNode {
    this.queries.push({ node, queryId })
    return node
  }

  async transformResult<R>({ result }: { result: R }): Promise<R> {
    return result
  }
}

/** The steps of every query that `work` makes, as EXPLAIN QUERY PLAN tells them. Run on SQLite. */
export async function queryPlans(
  database: Database,
  work: (tx: Transaction) => Promise<unknown>,
): Promise<{ readonly query: string; readonly steps: readonly string[] }[]> {
  return await database.transaction(async (tx) => {
    const recorder = new Recorder()
    await work(tx.withPlugin(recorder) as Transaction)
    const executor = tx.getExecutor()
    const plans: { query: string; steps: string[] }[] = []
    for (const { node, queryId } of recorder.queries) {
      const compiled = executor.compileQuery(node, queryId)
      const explained = { ...compiled, sql: `EXPLAIN QUERY PLAN ${compiled.sql}` }
      const { rows } = await executor.executeQuery<{ detail: string }>(explained)
      plans.push({ query: compiled.sql, steps: rows.map(({ detail }) => detail) })
    }
    return plans
  })
}
