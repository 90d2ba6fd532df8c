import { join } from 'node:path'
import { freePort } from '../../../src/testing/stores/free-port.ts'
import { temporaryFolder } from '../../cli/cli.ts'
import { type Lake, localLake } from '../lake.ts'
import { serveMoulin } from '../serve.ts'

interface PurgeSection {
  readonly purger: string
  readonly options?: Readonly<Record<string, unknown>>
}

interface ServeOptions {
  /** @default a local one in the setting's folder */
  readonly lake?: Lake
  /** The server's program. @default that of the sources */
  readonly main?: string
}

/** A server, and what its purger needs beside it, until the end of an `await using` block. */
export class Setting implements AsyncDisposable {
  /** Removed at the end; the server may write to it. */
  readonly folder: string
  /** What ends with the setting, the latest first. */
  readonly parts = new AsyncDisposableStack()
  readonly #port: number
  readonly #environment: Record<string, string> = {}

  static async open(): Promise<Setting> {
    return new Setting(await freePort())
  }

  private constructor(port: number) {
    this.#port = port
    this.folder = this.parts.use(temporaryFolder()).path
  }

  /** Under which the server answers, once it is there. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** What the tests in Python are told. */
  get environment(): Readonly<Record<string, string>> {
    return this.#environment
  }

  tell(variables: Readonly<Record<string, string>>): void {
    Object.assign(this.#environment, variables)
  }

  /** Starts the server; gives its configuration. */
  async serve(purge: PurgeSection, options: ServeOptions = {}): Promise<object> {
    const { lake = localLake(this.folder), main } = options
    const configuration = {
      server: { port: this.#port },
      database: { url: `sqlite:${join(this.folder, 'catalog.db')}` },
      warehouses: { main: lake.warehouse },
      // An engine that does not call back is asked when it is time, of which nobody tells the workers.
      purge: { ...purge, pollInterval: '200ms' },
    }
    this.parts.use(await serveMoulin(() => configuration, main))
    this.tell({ ...lake.environment, MOULIN_TEST_URI: this.url })
    return configuration
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.parts.disposeAsync()
  }
}
