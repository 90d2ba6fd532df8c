/** What an operator's machinery asks of a process: whether it lives, whether it is ready, and its metrics. */
import type { FastifyInstance } from 'fastify'
import { send } from './bare-app.ts'
import type { Dependencies } from './deps.ts'

export interface Operated extends Pick<Dependencies, 'database' | 'metrics' | 'draining'> {
  /** Why it is not ready, beside what is looked at anyway; undefined when it is. */
  readonly obstacle?: () => string | undefined
}

export function operatorRoutes(app: FastifyInstance, deps: Operated): void {
  app.get('/livez', async (_request, reply) => send(reply, { status: 200, body: { status: 'alive' } }))
  app.get('/readyz', async (request, reply) => {
    if (deps.draining.aborted) return send(reply, { status: 503, body: { status: 'stopping' } })
    const obstacle = deps.obstacle?.()
    if (obstacle !== undefined) return send(reply, { status: 503, body: { status: obstacle } })
    try {
      await deps.database.ping()
      return await send(reply, { status: 200, body: { status: 'ready' } })
    } catch (error) {
      request.log.warn({ err: error }, 'the database does not answer')
      return await send(reply, { status: 503, body: { status: 'the database does not answer' } })
    }
  })
  app.get('/metrics', async (_request, reply) => {
    const { registry } = deps.metrics
    return await reply.type(registry.contentType).send(await registry.metrics())
  })
}
