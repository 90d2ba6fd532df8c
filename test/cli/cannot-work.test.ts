import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { moulin, temporaryFolder } from './cli.ts'

const unreachable = { MOULIN_DATABASE__URL: 'postgres://u:hunter2@127.0.0.1:1/d' }

/** What a command says of a configuration that cannot work, in the end. */
async function failure(args: readonly string[], text: string, env: Record<string, string> = {}) {
  using folder = temporaryFolder()
  writeFileSync(join(folder.path, 'm.yaml'), text)
  const { code, stdout, stderr } = await moulin([...args, '--config', 'm.yaml'], { cwd: folder.path, env })
  expect(code).toBe(1)
  // The log: no errors.
  expect(stdout).not.toMatch(/"level":[56]0/)
  expect(stderr).not.toMatch(/works on the purges|serves http| {4}at |--verbose|hunter2/)
  return stderr
}

describe.each([['worker'], ['serve', '--port', '0']])(
  'moulin %s ends with the reason, and no stack',
  (...args) => {
    it('when nobody knows the purger', async () => {
      expect(await failure(args, 'purge: {purger: webhok}')).toMatch(
        /purge\.purger of the warehouse default: There is no purger "webhok".*Did you mean "webhook"\?/,
      )
    })

    it('when the purger refuses its options', async () => {
      expect(await failure(args, 'purge: {purger: kafka, options: {brokers: [x]}}')).toMatch(
        /purge\.options of the warehouse default: The purger "kafka" refused its options: brokers must be/,
      )
    })

    it('when a sink of events refuses its options', async () => {
      expect(await failure(args, 'events: {sinks: [{type: kafka}]}')).toContain(
        'events.sinks.0.options: brokers is missing',
      )
    })

    it("when the database does not answer, with the key and the doctor's advice", async () => {
      expect(await failure(args, '', unreachable)).toMatch(
        /database\.url: postgres:\/\/127\.0\.0\.1:1\/d does not answer: .*ECONNREFUSED.*\n {2}→ Check host, port, user/,
      )
    })
  },
)

it('moulin migrate says the same of a database that does not answer', async () => {
  expect(await failure(['migrate'], '', unreachable)).toContain('→ Check host, port, user')
})
