import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buildApp } from 'fauxqs'
import { describe, expect, it } from 'vitest'
import { moulin, temporaryFolder } from './cli.ts'

function environment(endpoint: string): Record<string, string> {
  return {
    MOULIN_WAREHOUSES__LAKE__LOCATION: 's3://lake/warehouse',
    MOULIN_WAREHOUSES__LAKE__STORAGE__TYPE: 's3',
    MOULIN_WAREHOUSES__LAKE__STORAGE__ENDPOINT: endpoint,
    MOULIN_WAREHOUSES__LAKE__STORAGE__PATH_STYLE_ACCESS: 'true',
    MOULIN_WAREHOUSES__LAKE__STORAGE__ACCESS_KEY_ID: 'key',
    MOULIN_WAREHOUSES__LAKE__STORAGE__SECRET_ACCESS_KEY: 'hunter2',
  }
}

describe('moulin doctor on S3', () => {
  it('tries the bucket out, and leaves nothing in it', async () => {
    using folder = temporaryFolder()
    const app = await buildApp({ logger: false })
    const endpoint = await app.listen({ port: 0, host: '127.0.0.1' })
    try {
      await fetch(`${endpoint}/lake`, { method: 'PUT' })
      const { code, stdout } = await moulin(['doctor'], { cwd: folder.path, env: environment(endpoint) })
      for (const done of ['written', 'read', 'listed', 'erased from'])
        expect(stdout).toContain(`✓ can be ${done}`)
      expect(stdout).not.toContain('✗')
      expect(code).toBe(0)
      const listing = await (await fetch(`${endpoint}/lake?list-type=2`)).text()
      expect(listing).toContain('ListBucketResult')
      expect(listing).not.toContain('moulin-doctor')
    } finally {
      await app.close()
    }
  })

  it('says that there is no such bucket', async () => {
    using folder = temporaryFolder()
    const app = await buildApp({ logger: false })
    const endpoint = await app.listen({ port: 0, host: '127.0.0.1' })
    try {
      const { code, stdout } = await moulin(['doctor'], { cwd: folder.path, env: environment(endpoint) })
      expect(code).toBe(1)
      expect(stdout).toMatch(
        /✗ cannot be written: The bucket does not exist.*\n {4}→ Check the name of the bucket/,
      )
    } finally {
      await app.close()
    }
  })

  // No store that Node.js alone can start checks credentials: this one refuses everybody, in S3's words.
  it('names refused credentials as such, and does not show them', async () => {
    using folder = temporaryFolder()
    const server = createServer((request, response) => {
      request.resume()
      response.writeHead(403, { 'content-type': 'application/xml' })
      response.end('<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const { code, stdout } = await moulin(['doctor'], { cwd: folder.path, env: environment(endpoint) })
      expect(code).toBe(1)
      expect(stdout).toMatch(
        /✗ cannot be written: .*SignatureDoesNotMatch.*\n {4}→ .*accessKeyId and secretAccess/,
      )
      expect(stdout.match(/SignatureDoesNotMatch/g)).toHaveLength(1)
      expect(stdout).not.toContain('hunter2')
    } finally {
      server.close()
    }
  })
})
