import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { otherSecret, secret } from './service.ts'

const program = new URL('../../../examples/webhook-service/service.mjs', import.meta.url).pathname

/** The example in a process of its own, allowed to erase below a folder; it shares `secret` with Moulin. */
export class Example implements AsyncDisposable {
  readonly url: string
  readonly #child: ReturnType<typeof spawn>

  static async start(warehouse: string): Promise<Example> {
    const env = {
      PATH: process.env.PATH,
      PORT: '0',
      WAREHOUSE: warehouse,
      WEBHOOK_SECRET: `${otherSecret} ${secret}`,
    }
    const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    for await (const line of createInterface(child.stdout)) {
      const [, url] = /^listening on (.+)$/.exec(line) ?? []
      if (url !== undefined) return new Example(url, child)
    }
    throw new Error('The example ended.')
  }

  private constructor(url: string, child: ReturnType<typeof spawn>) {
    this.url = url
    this.#child = child
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }
}
