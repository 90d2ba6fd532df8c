/** The few requests by which benches prepare and watch a catalog. All throw Error when the answer is not a success. */
import { type JsonObject, type JsonValue, parseJson, printJson } from '../../src/iceberg/json/exact-json.ts'
import { mapBounded } from '../../src/storage/concurrency.ts'
import { creation, namespace } from '../catalog/tables.ts'

export { namespace }

const atATime = 8

export interface LiveTable {
  readonly name: string
  readonly uuid: string
}

export async function createNamespace(api: string): Promise<void> {
  await request('POST', `${api}/namespaces`, { namespace: [namespace] })
}

/** Tables of 20 columns without snapshots. */
export async function createTables(api: string, names: readonly string[]): Promise<LiveTable[]> {
  return await mapBounded(names, atATime, async (name) => {
    const { metadata } = await request('POST', `${api}/namespaces/${namespace}/tables`, creation(name))
    return { name, uuid: (metadata as JsonObject)['table-uuid'] as string }
  })
}

export async function registerTables(
  api: string,
  tables: readonly { readonly name: string; readonly metadataLocation: string }[],
): Promise<void> {
  await mapBounded(tables, atATime, async ({ name, metadataLocation }) => {
    const body = { name, 'metadata-location': metadataLocation }
    await request('POST', `${api}/namespaces/${namespace}/register`, body)
  })
}

/** @returns the URL at which the purge can be watched */
export async function dropTable(api: string, name: string): Promise<string> {
  const url = `${api}/namespaces/${namespace}/tables/${name}?purgeRequested=true`
  const response = await fetch(url, { method: 'DELETE' })
  if (response.status !== 204) throw new Error(`DELETE ${url}: ${response.status} ${await response.text()}`)
  return monitorOf(api, response.headers.get('link'))
}

/** The URL that the `Link` of an answered drop names. */
export function monitorOf(api: string, link: string | null | undefined): string {
  const path = /<([^>]+)>; *rel="monitor"/.exec(link ?? '')?.[1]
  if (path === undefined) throw new Error(`No monitor in the Link of the answer: ${link}`)
  return new URL(path, api).href
}

export interface WatchedPurge {
  readonly warehouse: string
  readonly state: string
  /** Milliseconds since the epoch, by the database's clock. */
  readonly requestedAt: number
  readonly startedAt: number | undefined
  readonly finishedAt: number | undefined
}

export async function watch(monitors: readonly string[]): Promise<WatchedPurge[]> {
  return await mapBounded(monitors, atATime, async (url) => {
    const purge = await request('GET', url)
    const state = purge.state as string
    if (state === 'failed' || state === 'held') {
      throw new Error(`${url} is ${state}: ${String(purge['last-error'] ?? purge['hold-reason'])}`)
    }
    return {
      warehouse: purge.warehouse as string,
      state,
      requestedAt: Number(purge['requested-at']),
      startedAt: optionalNumber(purge['started-at']),
      finishedAt: optionalNumber(purge['finished-at']),
    }
  })
}

/** Waits until all have succeeded, in the order given. */
export async function untilSucceeded(monitors: readonly string[]): Promise<void> {
  for (const monitor of monitors) {
    while ((await watch([monitor]))[0]!.state !== 'succeeded') {
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }
}

function optionalNumber(value: JsonValue | undefined): number | undefined {
  return value === undefined || value === null ? undefined : Number(value)
}

async function request(method: 'GET' | 'POST', url: string, body?: JsonObject): Promise<JsonObject> {
  const response = await fetch(url, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: printJson(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text.slice(0, 500)}`)
  return parseJson(text) as JsonObject
}
