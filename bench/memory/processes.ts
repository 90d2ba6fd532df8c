import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Running extends AsyncDisposable {
  readonly pid: number
  /** What the awaited pattern has matched. */
  readonly said: string
}

/** Starts a command of Moulin. Resolves when it has said on standard error what is awaited. */
export async function start(args: readonly string[], awaited: RegExp): Promise<Running> {
  const main = join(import.meta.dirname, '../../src/cli/main.ts')
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'inherit', 'pipe'] })
  return {
    said: await said(child, awaited),
    pid: child.pid!,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

async function said(child: ChildProcess, awaited: RegExp): Promise<string> {
  let text = ''
  for await (const chunk of child.stderr!) {
    text += String(chunk)
    const found = awaited.exec(text)?.[0]
    if (found !== undefined) {
      child.stderr!.resume()
      return found
    }
  }
  throw new Error(`Moulin did not start: ${text}`)
}

/** Bytes of a process's resident set, now and at its highest, as Linux counts them. */
export function residentSet(pid: number): { readonly now: number; readonly highest: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)![1]) * 1_024
  return { now: bytes('VmRSS'), highest: bytes('VmHWM') }
}
