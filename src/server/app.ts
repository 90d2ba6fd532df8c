import type { FastifyInstance, FastifyRequest } from 'fastify'
import { IcebergError } from '../iceberg/errors.ts'
import { type JsonValue, parseJson } from '../iceberg/json/exact-json.ts'
import type { Principal } from '../security/authorizer.ts'
import { bareApp, send, sendError } from './bare-app.ts'
import { Call } from './call.ts'
import type { Dependencies } from './deps.ts'
import { chooseWarehouse, configAnswer, noSuchWarehouse } from './iceberg/config.ts'
import { icebergRoutes } from './iceberg/routes.ts'
import { callbackError, maxCallback, receiveCallback } from './management/callback.ts'
import { listCertificates } from './management/certificates.ts'
import { listPurges, purgePath, retryPurge, showCertificate, showPurge } from './management/purges.ts'
import { operatorRoutes } from './operator-routes.ts'
import type { Route } from './route.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The body's bytes as they came. */
    rawBody: Buffer | undefined
  }
}

const anonymous: Principal = { name: 'anonymous' }
/** The HTTP application: the Iceberg API of every warehouse, and what operators ask of a server. */
export function buildApp(deps: Dependencies): FastifyInstance {
  const app = bareApp(deps)
  app.decorateRequest('rawBody', undefined)
  parseBodies(app)
  operatorRoutes(app, deps)
  managementRoutes(app, deps)
  protocolRoutes(app, deps)
  for (const route of icebergRoutes) mount(app, deps, route)
  refuseOtherMethods(app)
  return app
}

/** JSON with exact numbers; forms only for the token endpoint. An empty body is none: clients send its type with DELETE. */
function parseBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    request.rawBody = body
    try {
      done(null, body.length === 0 ? undefined : parseJson(body))
    } catch (error) {
      done(error as Error)
    }
  })
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => {
      done(null, Object.fromEntries(new URLSearchParams(body as string)))
    },
  )
}

function mount(app: FastifyInstance, deps: Dependencies, route: Route): void {
  app.route({
    method: route.method,
    url: fastifyPath(route.path),
    handler: async (request, reply) => {
      const { prefix } = request.params as { prefix: string }
      const warehouse = deps.warehouses.get(prefix)
      if (!warehouse) throw noSuchWarehouse(prefix)
      const call = new Call(request, deps, warehouse, anonymous)
      await deps.authorizer.authorize(anonymous, route.action, call.resource)
      return send(reply, await route.handle(call))
    },
  })
}

/** A known path with a method that it does not have: 405, and `Allow` says which it has. */
function refuseOtherMethods(app: FastifyInstance): void {
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
  for (const path of new Set(icebergRoutes.map((route) => route.path))) {
    const allowed = icebergRoutes.filter((route) => route.path === path).map(({ method }) => method)
    app.route({
      method: methods.filter((method) => !allowed.some((other) => other === method)),
      url: fastifyPath(path),
      handler: async (request, reply) => {
        void reply.header('allow', allowed.join(', '))
        throw new IcebergError(
          'MethodNotAllowedException',
          `${request.method} is not served here, only ${allowed.join(', ')}`,
        )
      },
    })
  }
}

/** `{name}` of the specification as Fastify writes it. */
function fastifyPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1')
}

/** What a client asks before it knows its prefix. */
function protocolRoutes(app: FastifyInstance, deps: Dependencies): void {
  app.get('/v1/config', async (request, reply) => {
    const { warehouse: name } = request.query as { warehouse?: string | string[] }
    const warehouse = chooseWarehouse(deps, Array.isArray(name) ? name[0] : name)
    await deps.authorizer.authorize(anonymous, 'config.read', { warehouse: warehouse.name })
    return send(reply, configAnswer(deps, warehouse, icebergRoutes))
  })
  app.post('/v1/oauth/tokens', async (_request, reply) => {
    return send(reply, {
      status: 400,
      body: {
        error: 'unsupported_grant_type',
        error_description:
          'This server does not authenticate anybody yet: remove credential, token and oauth2-server-uri from the client.',
      },
    })
  })
}

function managementRoutes(app: FastifyInstance, deps: Dependencies): void {
  const idOf = (request: FastifyRequest) => (request.params as { id: string }).id
  app.get('/management/v1/purges', async (_request, reply) => send(reply, await listPurges(deps, anonymous)))
  app.get(purgePath(':id'), async (request, reply) =>
    send(reply, await showPurge(deps, anonymous, idOf(request))),
  )
  app.post(`${purgePath(':id')}/retry`, async (request, reply) =>
    send(reply, await retryPurge(deps, anonymous, idOf(request), request.body as JsonValue | undefined)),
  )
  app.get(`${purgePath(':id')}/certificate`, async (request, reply) =>
    send(reply, await showCertificate(deps, anonymous, idOf(request))),
  )
  app.post(
    `${purgePath(':id')}/callback`,
    {
      bodyLimit: maxCallback,
      errorHandler: (error, request, reply) => void sendError(callbackError(error), request, reply),
    },
    async (request, reply) =>
      send(
        reply,
        await receiveCallback(deps, idOf(request), request.headers, request.rawBody ?? Buffer.of()),
      ),
  )
  app.get('/management/v1/certificates', async (request, reply) =>
    send(
      reply,
      await listCertificates(deps, anonymous, request.query as Record<string, string | string[] | undefined>),
    ),
  )
}
