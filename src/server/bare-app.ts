/** What every HTTP application of Moulin has in common: request ids, errors in the protocol's form, the log, the metrics. */
import { randomUUID } from 'node:crypto'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import { IcebergError } from '../iceberg/errors.ts'
import { printJson } from '../iceberg/json/exact-json.ts'
import type { Answer } from './call.ts'
import type { Dependencies } from './deps.ts'
import { errorBody, toIcebergError } from './errors.ts'

type BareDependencies = Pick<Dependencies, 'logger' | 'metrics'> & {
  readonly config: Pick<Dependencies['config'], 'maxBodyBytes'>
}

/** Longest name in a path, in characters as sent. */
const maxParameterLength = 16_384

/** An application without routes. */
export function bareApp(deps: BareDependencies): FastifyInstance {
  const app = Fastify({
    loggerInstance: deps.logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: deps.config.maxBodyBytes,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: maxParameterLength },
    forceCloseConnections: 'idle',
    genReqId: (request) => requestId(request.headers['x-request-id']),
    frameworkErrors: (error, request, reply) =>
      void sendError(error, request as FastifyRequest, reply as FastifyReply),
  }) as unknown as FastifyInstance
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply))
  app.setNotFoundHandler((request, reply) => sendError(noSuchRoute(request), request, reply))
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id)
  })
  app.addHook('onResponse', async (request, reply) => {
    observe(deps, request, reply)
  })
  return app
}

export function send(reply: FastifyReply, answer: Answer): FastifyReply {
  const { status, body, headers } = answer
  if (headers) void reply.headers(headers)
  void reply.code(status)
  if (body === undefined) return reply.send()
  return reply.type('application/json').send(Buffer.isBuffer(body) ? body : printJson(body))
}

function requestId(header: string | string[] | undefined): string {
  return typeof header === 'string' && /^[\w.:-]{1,128}$/.test(header) ? header : randomUUID()
}

export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const failure = toIcebergError(error, request.id)
  if (failure.status >= 500) request.log.error({ err: error }, failure.message)
  if (failure.retryAfterSeconds !== undefined) void reply.header('retry-after', failure.retryAfterSeconds)
  void reply.code(failure.status)
  if (request.method === 'HEAD') return reply.send()
  return reply.type('application/json').send(printJson(errorBody(failure)))
}

function noSuchRoute(request: FastifyRequest): IcebergError {
  const path = request.url.split('?', 1)[0]!.slice(0, 200)
  return new IcebergError('NoSuchRouteException', `This server has no ${request.method} ${path}`)
}

function observe(deps: BareDependencies, request: FastifyRequest, reply: FastifyReply): void {
  const route = request.routeOptions.url ?? 'none'
  const status = String(reply.statusCode)
  deps.metrics.httpSeconds.observe({ method: request.method, route, status }, reply.elapsedTime / 1_000)
  request.log.info(
    {
      method: request.method,
      path: request.url.split('?', 1)[0],
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
    },
    'request',
  )
}
