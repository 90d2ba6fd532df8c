import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * What the proxy does with a request: answers it itself, drops it, never answers, passes it on and loses the answer, or half
 * of the answer's body, or sends that half and falls silent. Undefined passes it on.
 */
export type Fault = (
  method: string,
  url: string,
  body: string,
) =>
  | { status: number; body?: string; headers?: Record<string, string> }
  | 'drop'
  | 'silence'
  | 'lose-answer'
  | 'half-answer'
  | 'stall'
  | undefined

/** A store's faults that no real server can be told to have: stands before it, and answers some requests itself. */
export async function startFaultyProxy(
  target: string,
  fault: Fault,
): Promise<{ readonly endpoint: string; close(): Promise<void> }> {
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => handle(incoming, outgoing, Buffer.concat(chunks)))
  })
  const handle = (incoming: IncomingMessage, outgoing: ServerResponse, body: Buffer) => {
    const answer = fault(incoming.method!, incoming.url!, body.toString())
    if (answer === 'drop') {
      incoming.socket.destroy()
    } else if (answer === 'silence') {
      return
    } else if (typeof answer === 'object') {
      outgoing.writeHead(answer.status, { 'content-type': 'application/xml', ...answer.headers })
      outgoing.end(answer.body ?? '')
    } else {
      const options = { method: incoming.method!, headers: incoming.headers }
      const passed = request(new URL(incoming.url!, target), options, (reply) => {
        const received: Buffer[] = []
        reply.on('data', (chunk: Buffer) => received.push(chunk))
        reply.on('end', () => {
          const whole = Buffer.concat(received)
          if (answer === 'lose-answer') return incoming.socket.destroy()
          outgoing.writeHead(reply.statusCode!, reply.headers)
          if (answer === undefined) return outgoing.end(whole)
          outgoing.write(whole.subarray(0, whole.length / 2), () => {
            if (answer === 'half-answer') incoming.socket.destroy()
          })
        })
      })
      passed.end(body)
    }
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
