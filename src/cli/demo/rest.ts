import { type JsonObject, parseJson, printJson } from '../../iceberg/json/exact-json.ts'
import { CommandError } from '../failure.ts'

/** As much of an Iceberg REST client as the demo needs. Integers of any size survive. */
export class RestClient {
  readonly #base: string

  /** @param url Of the server. */
  constructor(url: string, warehouse: string) {
    this.#base = `${url}/v1/${encodeURIComponent(warehouse)}`
  }

  /** Sends a request and returns status and body (empty object for none). Throws {@link CommandError} for other statuses. */
  async request(
    method: 'GET' | 'POST' | 'DELETE' | 'HEAD',
    path: string,
    { body, expect = [200, 204] }: { body?: unknown; expect?: readonly number[] } = {},
  ): Promise<{ status: number; body: JsonObject }> {
    const response = await fetch(this.#base + path, {
      method,
      ...(body === undefined
        ? {}
        : { body: printJson(body), headers: { 'content-type': 'application/json' } }),
    })
    const text = await response.text()
    if (!expect.includes(response.status)) {
      throw new CommandError(`${method} ${path} was answered with ${response.status}: ${text}`)
    }
    return { status: response.status, body: text === '' ? {} : (parseJson(text) as JsonObject) }
  }
}
