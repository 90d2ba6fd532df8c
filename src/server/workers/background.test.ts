import { once } from 'node:events'
import { getPriority } from 'node:os'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'

const onLinux = process.platform === 'linux'
if (!onLinux) console.warn('skipped: only on Linux has a thread a priority of its own')

test.runIf(onLinux)(
  'a thread that gives way comes behind the others of its process, and only it',
  async () => {
    const background = new URL('./background.ts', import.meta.url).href
    const code = `
    import { readlinkSync } from 'node:fs'
    import { getPriority } from 'node:os'
    import { parentPort } from 'node:worker_threads'
    import { giveWay } from ${JSON.stringify(background)}
    giveWay({ info: (about) => { throw about.err } })
    parentPort.postMessage(getPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1))))`
    const before = getPriority(process.pid)
    const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`))
    expect(await once(thread, 'message')).toEqual([10])
    expect(getPriority(process.pid)).toBe(before)
    await thread.terminate()
  },
)
