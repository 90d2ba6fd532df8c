import { once } from 'node:events'

/** What one run took. */
export interface Measured {
  /** Seconds. */
  readonly wall: number
  /** Seconds of CPU of this process, in user and system mode. */
  readonly cpu: number
}

/** The child's side: takes one task after another, prepares it, and measures the rest. Ends when the parent disconnects. */
export async function measured<Task>(prepare: (task: Task) => Promise<() => Promise<void>>): Promise<void> {
  process.on('message', (task: Task) => void run(task, prepare))
  process.send!('ready')
  await once(process, 'disconnect')
}

async function run<Task>(task: Task, prepare: (task: Task) => Promise<() => Promise<void>>): Promise<void> {
  try {
    const work = await prepare(task)
    const began = performance.now()
    const before = process.cpuUsage()
    await work()
    const { user, system } = process.cpuUsage(before)
    process.send!({ wall: (performance.now() - began) / 1_000, cpu: (user + system) / 1_000_000 })
  } catch (error) {
    process.send!({ error: (error as Error).stack })
  }
}
