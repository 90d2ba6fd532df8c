import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../testing/virtual-clock.ts'
import { CommandError } from './failure.ts'
import { UnavailableError } from './management.ts'
import type { PurgeBody } from './purge-text.ts'
import type { Style } from './style.ts'
import { watch } from './watch.ts'
import { WatchOutput } from './watch-output.ts'

const same = (text: string) => text
const plain: Style = { bold: same, dim: same, green: same, yellow: same, red: same, cyan: same }

function purge(state: string, deleted: number): PurgeBody {
  return {
    id: 'p',
    state,
    kind: 'table',
    warehouse: 'w',
    namespace: ['ns'],
    name: 't',
    'metadata-location': 's3://b/t.json',
    purger: 'sql-async',
    principal: 'anonymous',
    'requested-at': 0,
    attempts: 1,
    counts: { data: { deleted } },
    bytes: {},
    'expected-files': 10_000_000,
  }
}

/** Watches what `answer` gives at each millisecond of a clock that runs as fast as it can. */
async function run(answer: (now: number) => PurgeBody, terminal?: { columns: number }) {
  const clock = new VirtualClock()
  let text = ''
  const write = (more: string) => {
    text += more
    return true
  }
  const stream = { isTTY: terminal !== undefined, columns: terminal?.columns ?? 0, write }
  const output = new WatchOutput(stream as never, plain, clock)
  let isOver = false
  const watched = watch({ ask: async () => answer(clock.now()), output, clock }).finally(() => {
    isOver = true
  })
  watched.catch(() => undefined)
  while (!isOver) await clock.advance(500)
  return { watched, text, took: clock.now() }
}

/** A hundred seconds of 100,000 files each. */
const steady = (now: number) =>
  purge(now < 100_000 ? 'running' : 'succeeded', Math.min(10_000_000, now * 100))

const gone = (): never => {
  throw new UnavailableError('No server answers at http://h.')
}

describe('watching a purge', () => {
  it('on a terminal redraws one row of it', async () => {
    const { text } = await run(steady, { columns: 80 })
    const rows = text.trimEnd().split('\r\x1b[2K')
    expect(rows.length).toBeGreaterThan(150)
    for (const row of rows) expect(row.length, row).toBeLessThan(80)
    expect(rows.at(-1)).toMatch(/^succeeded {2}█+ 100 % {2}10,000,000 of 10,000,000 files/)
    expect(text).toContain(' left')
    expect(text.match(/\n/g)).toHaveLength(1)
  })

  it('elsewhere prints a line now and then, and at the end', async () => {
    const lines = (await run(steady)).text.trimEnd().split('\n')
    expect(lines).toHaveLength(11)
    expect(lines[0]).toMatch(/^running .* 0 %/)
    expect(lines[5]).toMatch(/^running .* 50 %/)
    expect(lines[10]).toMatch(/^succeeded .* 100 %/)
    const idle = await run((now) => purge(now < 35_000 ? 'pending' : 'failed', 0))
    expect(idle.text.trimEnd().split('\n')).toHaveLength(5)
  })

  it.each([undefined, { columns: 80 }])(
    'outlives a restart of the server, and says so (%o)',
    async (terminal) => {
      const { watched, text } = await run(
        (now) => (now > 20_000 && now < 75_000 ? gone() : steady(now)),
        terminal,
      )
      expect((await watched).state).toBe('succeeded')
      expect(
        text.match(/! No server answers at http:\/\/h\. It is tried again for a minute\.\n/g),
      ).toHaveLength(1)
    },
  )

  it('gives up after a minute without an answer, with an exit code of its own', async () => {
    const { watched, took } = await run((now) => (now > 20_000 ? gone() : steady(now)))
    await expect(watched).rejects.toMatchObject({
      message:
        'No server answers at http://h. It was tried for a minute; the purge is in the ledger, and goes on.',
      exitCode: 3,
    })
    expect(took).toBeGreaterThanOrEqual(80_000)
    expect(took).toBeLessThan(82_000)
  })

  it('gives up at once when the purge was never seen, or does not exist', async () => {
    const unseen = await run(gone)
    await expect(unseen.watched).rejects.toMatchObject({ exitCode: 3 })
    const unknown = await run((now) => {
      if (now > 5_000) throw new CommandError('Purge does not exist: p')
      return steady(now)
    })
    await expect(unknown.watched).rejects.toMatchObject({ message: 'Purge does not exist: p', exitCode: 3 })
    expect(unknown.took).toBeLessThan(7_000)
  })
})
