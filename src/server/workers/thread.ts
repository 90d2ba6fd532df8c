/** Entry of the thread that works on purges, so that requests never wait for it. */
import { parentPort, workerData } from 'node:worker_threads'
import { pino } from 'pino'
import { giveWay } from './background.ts'
import type { News, Order, ThreadData } from './messages.ts'
import { startPurgeWorker } from './purge-worker.ts'

const { config, level } = workerData as ThreadData
const port = parentPort!
const logger = pino({ level })
const tell = (news: News) => port.postMessage(news)

giveWay(logger)
const worker = startPurgeWorker(config, {
  logger,
  observe: (warehouse) => ({
    progressed: (counts) => tell({ kind: 'progressed', warehouse, counts }),
    finished: (state, milliseconds) => tell({ kind: 'finished', warehouse, state, milliseconds }),
  }),
})

port.on('message', (order: Order) => void obey(order))
// The thread dies of what it cannot open.
await worker
tell({ kind: 'started' })

async function obey(order: Order): Promise<void> {
  if (order === 'notify') return (await worker).notify()
  await (await worker).stop()
  port.close()
}
