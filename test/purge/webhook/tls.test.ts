import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RetryablePurgeError } from '../../../src/purge/purger.ts'
import { WebhookClient } from '../../../src/purge/purgers/webhook/client.ts'
import { webhookOptions } from '../../../src/purge/purgers/webhook/options.ts'
import { isThereOpenssl } from '../../openssl.ts'
import { secret } from './service.ts'

const hasOpenssl = isThereOpenssl('webhook over TLS')

describe.skipIf(!hasOpenssl)('webhook over TLS', () => {
  const usual = getCACertificates('default')
  let folder: string
  let certificate: string
  let server: Server
  let url: string
  let requests = 0

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'moulin-tls-'))
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
    const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert]
    execFileSync('openssl', [...made, ...subject], { stdio: 'ignore' })
    certificate = readFileSync(cert, 'utf8')
    server = createServer({ key: readFileSync(key), cert: certificate }, (_, response) => {
      requests++
      response.end('{"reference":"r"}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `https://localhost:${(server.address() as AddressInfo).port}/purges`
  })
  afterAll(async () => {
    setDefaultCACertificates(usual)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    rmSync(folder, { recursive: true })
  })

  const post = async () => {
    const client = new WebhookClient(webhookOptions({ url, secrets: [secret] }), Date.now)
    return await client.post('id', {}, AbortSignal.timeout(10_000))
  }

  it('sends nothing to a service that cannot prove who it is', async () => {
    const refused = post()
    await expect(refused).rejects.toBeInstanceOf(RetryablePurgeError)
    await expect(refused).rejects.toThrow('DEPTH_ZERO_SELF_SIGNED_CERT')
    expect(requests).toBe(0)
  })

  it('trusts an authority that the process trusts', async () => {
    setDefaultCACertificates([...usual, certificate])
    expect(await post()).toEqual({ reference: 'r' })
  })
})
