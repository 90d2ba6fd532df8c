/** A ledger, a service and a purger that hands over to it. */
import type { Dialect } from '../../../src/database/database.ts'
import type { PurgeRecord } from '../../../src/purge/ledger/record.ts'
import { webhookOptions } from '../../../src/purge/purgers/webhook/options.ts'
import { WebhookPurger } from '../../../src/purge/purgers/webhook/webhook-purger.ts'
import type { PurgeEnd, PurgeRunner } from '../../../src/purge/run-attempt.ts'
import { PurgeFixture } from '../../../src/testing/purge-fixture.ts'
import { type Job, secret, WebhookService } from './service.ts'

export class Setting implements AsyncDisposable {
  readonly fixture: PurgeFixture
  readonly service: WebhookService
  readonly purger: WebhookPurger
  /** Milliseconds by which the purger's clock is ahead. */
  ahead = 0

  static async open(dialect: Dialect, options: Record<string, unknown> = {}): Promise<Setting> {
    const fixture = await PurgeFixture.open(dialect)
    return new Setting(fixture, await WebhookService.start(fixture.io), options)
  }

  private constructor(fixture: PurgeFixture, service: WebhookService, options: Record<string, unknown>) {
    this.fixture = fixture
    this.service = service
    const all = webhookOptions({ url: service.url, secrets: [secret], ...options })
    this.purger = new WebhookPurger(all, () => Date.now() + this.ahead)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service[Symbol.asyncDispose]()
    await this.fixture[Symbol.asyncDispose]()
  }

  /** One attempt, after the service has done what it could. */
  async run(id: string, options: Partial<PurgeRunner> = {}): Promise<PurgeEnd> {
    await this.service.idle()
    const { purger } = this
    return await this.fixture.run(id, { purger, backoff: { base: 1, max: 1 }, ...options })
  }

  async record(id: string): Promise<PurgeRecord> {
    return (await this.fixture.ledger.get(id))!
  }

  /** The latest thing that the service was told to do. */
  get job(): Job {
    return [...this.service.jobs.values()].at(-1)!
  }
}
