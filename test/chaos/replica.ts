import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { OutcomeCounts, PathFailure } from '../../src/purge/purger.ts'

/** What tests look at. */
export interface PurgeAnswer {
  readonly state: string
  readonly attempts: number
  readonly counts: OutcomeCounts
  readonly 'last-error'?: string
  readonly failures: readonly PathFailure[]
}

/** One `moulin serve` of several over the same database, to be killed. */
export class Replica {
  readonly #child: ChildProcess
  readonly #folder: string
  readonly #url: string

  static async start(configuration: object): Promise<Replica> {
    const folder = mkdtempSync(join(tmpdir(), 'moulin-replica-'))
    const file = join(folder, 'moulin.yaml')
    writeFileSync(file, stringify(configuration))
    const main = join(import.meta.dirname, '../../src/cli/main.ts')
    const child = spawn(process.execPath, [main, 'serve', '--config', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let printed = ''
    for await (const chunk of child.stderr) {
      printed += String(chunk)
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(printed)?.[0]
      if (url === undefined) continue
      child.stderr.resume()
      return new Replica(child, folder, url)
    }
    throw new Error(`The replica did not start: ${printed}`)
  }

  private constructor(child: ChildProcess, folder: string, url: string) {
    this.#child = child
    this.#folder = folder
    this.#url = url
  }

  get pid(): number {
    return this.#child.pid!
  }

  async call(method: string, path: string, body?: object): Promise<Response> {
    return await fetch(`${this.#url}/v1/main${path}`, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
  }

  /** A purge as the management API shows it. */
  async purge(id: string): Promise<PurgeAnswer> {
    const answer = await fetch(`${this.#url}/management/v1/purges/${id}`)
    if (!answer.ok) throw new Error(`The server answered ${answer.status}: ${await answer.text()}`)
    return (await answer.json()) as PurgeAnswer
  }

  /** The latest, by name. */
  async purges(): Promise<readonly { readonly name: string }[]> {
    const answer = await fetch(`${this.#url}/management/v1/purges`)
    return ((await answer.json()) as { purges: { name: string }[] }).purges
  }

  async retry(id: string): Promise<void> {
    const answer = await fetch(`${this.#url}/management/v1/purges/${id}/retry`, { method: 'POST' })
    if (!answer.ok) throw new Error(`The server answered ${answer.status}: ${await answer.text()}`)
  }

  /** SIGKILL: no handler runs. */
  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL')
      await once(this.#child, 'exit')
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
