/**
 * A service for Moulin's purger `webhook`: it erases the data files of dropped Iceberg tables on a local disk. One file, Node.js
 * and nothing else, to be read and changed. What the messages mean is in docs/guides/webhook.md.
 *
 *     WEBHOOK_SECRET=whsec_… WAREHOUSE=/srv/lake PORT=8090 node service.mjs
 *
 * WEBHOOK_SECRET may hold several, separated by spaces, the current one first. Nothing outside of WAREHOUSE is touched.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { readFile, unlink } from 'node:fs/promises'
import { createServer } from 'node:http'
import { resolve } from 'node:path'
import { gunzipSync, inflateRawSync, zstdDecompressSync } from 'node:zlib'

const { WEBHOOK_SECRET = '', WAREHOUSE = '', HOST = '127.0.0.1', PORT = '8090' } = process.env
const keys = WEBHOOK_SECRET.split(' ').filter((secret) => secret.startsWith('whsec_'))
const secrets = keys.map((secret) => Buffer.from(secret.slice('whsec_'.length), 'base64'))
const root = resolve(WAREHOUSE)
if (secrets.length === 0 || WAREHOUSE === '') {
  console.error('Set WEBHOOK_SECRET (whsec_…) and WAREHOUSE (a folder).')
  process.exit(2)
}

/** What is being done, by the id of the message that asked for it: a message that comes twice is done once. */
const jobs = new Map()
/** The highest generation that was cancelled, by the purge's id: a cancellation may overtake what it cancels. */
const cancelled = new Map()

// ── HTTP ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

const server = createServer((request, response) => {
  answer(request)
    .catch((error) => ({ status: error.status ?? 500, body: { message: error.message } }))
    .then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
})
server.listen(Number(PORT), HOST, () => {
  console.log(`listening on http://${HOST}:${server.address().port}/purges`)
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close())

async function answer(request) {
  const body = await readBody(request)
  const forged = whatIsForged(request.headers, body)
  if (forged) throw refusal(401, forged)
  if (request.method === 'GET') {
    const job = [...jobs.values()].find(({ statusUrl }) => statusUrl === request.url)
    // After a restart nothing is remembered. Moulin is told so, and asks for the work anew.
    return job ? { status: 200, body: job.status } : { status: 404, body: { message: 'unknown purge' } }
  }
  if (request.method !== 'POST' || request.url !== '/purges') throw refusal(404, 'POST /purges')
  const document = JSON.parse(body)
  if (document.version !== 1) throw refusal(400, `version ${document.version} is not understood`)
  if (document.event === 'purge.cancel') {
    cancelled.set(document.id, Math.max(document.generation, cancelled.get(document.id) ?? 0))
    return { status: 202, body: {} }
  }
  const { reference, statusUrl } = accept(request.headers['webhook-id'], document)
  return { status: 202, body: { reference, statusUrl } }
}

async function readBody(request) {
  const chunks = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > 1024 * 1024) throw refusal(413, 'too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function refusal(status, message) {
  return Object.assign(new Error(message), { status })
}

// ── Signatures: standardwebhooks.com ─────────────────────────────────────────────────────────────────────────────────

function signatures(id, timestamp, body) {
  return secrets.map((secret) =>
    createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest(),
  )
}

function whatIsForged(headers, body) {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': given = '' } = headers
  if (!id || id.includes('.') || !/^\d+$/.test(timestamp ?? '')) return 'the message is not signed'
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return 'the message is too old'
  const right = signatures(id, timestamp, body)
  const isRight = given
    .split(' ')
    .filter((each) => each.startsWith('v1,'))
    .map((each) => Buffer.from(each.slice(3), 'base64'))
    .some((each) => right.some((other) => each.length === other.length && timingSafeEqual(each, other)))
  return isRight ? undefined : 'the signature is wrong'
}

function signedHeaders(id, body) {
  const timestamp = String(Math.floor(Date.now() / 1000))
  const all = signatures(id, timestamp, body).map((each) => `v1,${each.toString('base64')}`)
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': all.join(' ') }
}

// ── The work ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function accept(messageId, document) {
  const known = jobs.get(messageId)
  if (known && known.status.state !== 'failed') return known
  if (isCancelled(document)) throw refusal(409, 'cancelled')
  const reference = `${document.id}-${document.generation}`
  const job = { reference, statusUrl: `/purges/${reference}`, status: { state: 'running' } }
  jobs.set(messageId, job)
  void work(job, document).then(() => callBack(job, document))
  return job
}

function isCancelled({ id, generation }) {
  return generation <= (cancelled.get(id) ?? 0)
}

async function work(job, document) {
  const counts = { deleted: 0, absent: 0, blocked: 0, failed: 0 }
  const failures = []
  try {
    for await (const paths of dataFiles(document)) {
      if (isCancelled(document)) throw new Error('cancelled')
      const doomed = paths.filter((path) => isMine(document, path))
      for (const { path, outcome, ...why } of await Promise.all(doomed.map(erase))) {
        counts[outcome]++
        if (why.code && failures.length < 100) failures.push({ path, outcome, ...why })
      }
      job.status = { state: 'running', counts: { ...counts } }
    }
    const left = counts.blocked + counts.failed
    if (left > 0) throw new Error(`${left} files could not be erased`)
    job.status = { state: 'finished', counts }
  } catch (error) {
    job.status = { state: 'failed', message: error.message, counts, failures }
  }
  console.log(`${document.namespace.join('.')}.${document.name}: ${JSON.stringify(job.status)}`)
}

/** Moulin asks from time to time; this spares it the waiting. Should it be lost, nothing is. */
async function callBack({ reference, status }, { id, generation, callbackUrl }) {
  if (callbackUrl === undefined) return
  const body = Buffer.from(JSON.stringify({ id, generation, ...status }))
  const headers = { 'content-type': 'application/json', ...signedHeaders(`end_${reference}`, body) }
  try {
    const answered = await fetch(callbackUrl, { method: 'POST', headers, body })
    if (!answered.ok) console.error(`call-back refused: ${answered.status} ${await answered.text()}`)
  } catch (error) {
    console.error(`call-back not delivered: ${error.cause?.message ?? error.message}`)
  }
}

/** Of the table's own places and those of others inside them, the longest prefix decides. What lies elsewhere is Moulin's. */
function isMine({ locations, keep }, path) {
  const around = [...locations, ...keep].filter((place) => `file://${localPath(path)}`.startsWith(place))
  return locations.includes(around.sort((a, b) => b.length - a.length)[0])
}

async function erase(path) {
  const file = localPath(path)
  if (!file.startsWith(`${root}/`)) {
    return { path, outcome: 'blocked', code: 'OutsideWarehouse', message: `not in ${root}` }
  }
  try {
    await unlink(file)
    return { path, outcome: 'deleted' }
  } catch ({ code, message }) {
    if (code === 'ENOENT') return { path, outcome: 'absent' }
    return {
      path,
      outcome: ['EACCES', 'EPERM', 'EROFS'].includes(code) ? 'blocked' : 'failed',
      code,
      message,
    }
  }
}

/** `file:///a`, `file:/a` and `/a` are one path. Nothing in it is percent-encoded. */
function localPath(location) {
  return resolve(location.replace(/^file:(\/\/(localhost)?(?=\/))?/, ''))
}

// ── Iceberg: from the metadata file to the names of the data files, a few at a time ──────────────────────────────────

async function* dataFiles({ metadataLocation }) {
  const bytes = await readFile(localPath(metadataLocation))
  const metadata = JSON.parse(metadataLocation.endsWith('.gz.metadata.json') ? gunzipSync(bytes) : bytes)
  const seen = new Set()
  for (const snapshot of metadata.snapshots ?? []) {
    for (const manifest of await manifestsOf(snapshot)) {
      if (seen.has(manifest)) continue
      seen.add(manifest)
      for (const entries of avroBlocks(await readFile(localPath(manifest)))) {
        const paths = entries.map((entry) => entry.data_file.file_path)
        for (let at = 0; at < paths.length; at += 64) yield paths.slice(at, at + 64)
      }
    }
  }
}

async function manifestsOf(snapshot) {
  if (!snapshot['manifest-list']) return snapshot.manifests ?? []
  const blocks = [...avroBlocks(await readFile(localPath(snapshot['manifest-list'])))]
  return blocks.flat().map(({ manifest_path }) => manifest_path)
}

// ── Avro, as much of it as Iceberg writes ────────────────────────────────────────────────────────────────────────────

const codecs = { null: (block) => block, deflate: inflateRawSync, zstandard: zstdDecompressSync }

/** The records of an Avro file, block by block. */
function* avroBlocks(bytes) {
  const file = { bytes, at: 4 }
  if (bytes.toString('latin1', 0, 4) !== 'Obj\x01') throw new Error('not an Avro file')
  const meta = decode({ type: 'map', values: 'bytes' }, file, {})
  const codec = meta['avro.codec']?.toString() ?? 'null'
  if (!Object.hasOwn(codecs, codec)) throw new Error(`the Avro codec ${codec} is not supported here`)
  const schema = JSON.parse(meta['avro.schema'])
  for (file.at += 16; file.at < bytes.length; file.at += 16) {
    const count = long(file)
    const block = { bytes: codecs[codec](take(file, long(file))), at: 0 }
    const names = {}
    yield Array.from({ length: count }, () => decode(schema, block, names))
  }
}

/** One value. `names` collects named types, which later parts of a schema may refer to. */
function decode(schema, from, names) {
  if (Array.isArray(schema)) return decode(schema[long(from)], from, names)
  const type = schema.type ?? schema
  if (typeof type === 'object') return decode(type, from, names)
  if (schema.name !== undefined) names[schema.name] = schema
  switch (type) {
    case 'null':
      return null
    case 'boolean':
      return take(from, 1)[0] === 1
    case 'int':
    case 'long':
    case 'enum':
      return long(from)
    case 'float':
      return take(from, 4).readFloatLE()
    case 'double':
      return take(from, 8).readDoubleLE()
    case 'bytes':
      return take(from, long(from))
    case 'string':
      return take(from, long(from)).toString()
    case 'fixed':
      return take(from, schema.size)
    case 'record':
      return Object.fromEntries(schema.fields.map((field) => [field.name, decode(field.type, from, names)]))
    case 'array':
      return items(from, () => decode(schema.items, from, names))
    case 'map':
      return Object.fromEntries(
        items(from, () => [decode('string', from, names), decode(schema.values, from, names)]),
      )
    default:
      return decode(names[type], from, names)
  }
}

function items(from, one) {
  const all = []
  for (let count = long(from); count !== 0; count = long(from)) {
    // A negative count is followed by the size in bytes, which nobody needs here.
    if (count < 0) long(from)
    for (let index = 0; index < Math.abs(count); index++) all.push(one())
  }
  return all
}

/** Zigzag; exact up to 2^53, which is enough for lengths and counts. */
function long(from) {
  let value = 0
  for (let weight = 1; ; weight *= 128) {
    const byte = take(from, 1)[0]
    value += (byte & 127) * weight
    if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
}

function take(from, length) {
  if (length < 0 || from.at + length > from.bytes.length) throw new Error('the Avro file is cut short')
  from.at += length
  return from.bytes.subarray(from.at - length, from.at)
}
