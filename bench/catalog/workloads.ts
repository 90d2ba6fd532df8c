import { printJson } from '../../src/iceberg/json/exact-json.ts'
import { creation, namespace, type Table, type Tables } from './tables.ts'

export interface Request {
  readonly method: 'GET' | 'POST'
  /** Below `/namespaces/{namespace}`. */
  readonly path: string
  readonly body?: string
}

export interface Workload {
  readonly name: string
  /** The request of one connection that differs from every other with another `unique`. */
  request(tables: Tables, connection: number, unique: string): Request
}

/** What is measured. Every connection has a table of its own, so that commits meet no conflict. */
export const workloads: readonly Workload[] = [
  { name: 'load, small table', request: ({ small }, connection) => load(small[connection]!) },
  {
    name: 'commit, small table',
    request: ({ small }, connection, unique) => commit(small[connection]!, unique),
  },
  {
    name: 'create',
    request: (_tables, _connection, unique) => ({
      method: 'POST',
      path: '/tables',
      body: printJson(creation(`new_${unique}`)),
    }),
  },
  { name: 'load, long history', request: ({ long }, connection) => load(long[connection]!) },
  {
    name: 'commit, long history',
    request: ({ long }, connection, unique) => commit(long[connection]!, unique),
  },
]

export const urlOf = (api: string, request: Request): URL =>
  new URL(`${api}/namespaces/${namespace}${request.path}`)

function load(table: Table): Request {
  return { method: 'GET', path: `/tables/${table.name}` }
}

/** Changes one property, so that documents stay as large as they are. */
function commit(table: Table, unique: string): Request {
  return {
    method: 'POST',
    path: `/tables/${table.name}`,
    body: printJson({
      requirements: [{ type: 'assert-table-uuid', uuid: table.uuid }],
      updates: [{ action: 'set-properties', updates: { 'bench.commit': unique } }],
    }),
  }
}
