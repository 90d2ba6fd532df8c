import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'

/** Milliseconds that a broker gets to start. */
const startTimeout = 120_000

/** What a broker of the tests logs: errors. */
const logging = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'

/** Listeners beside the one that anybody may use. */
export interface SecureListeners {
  /** PEM files: the broker's key with its certificate, and the authority that it trusts. */
  readonly keystore: string
  readonly truststore: string
  readonly username: string
  readonly password: string
}

/** A Kafka broker on this machine that can be killed and begun again, on the same port and files. */
export class KafkaBroker {
  readonly address: string
  /** TLS, and a user who has to say who he is: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512. Only with secure listeners. */
  readonly saslAddress: string
  /** TLS on both sides. Only with secure listeners. */
  readonly mutualTlsAddress: string
  readonly #jars: string
  readonly #folder: string
  readonly #port: number
  #child: ChildProcess | undefined
  /** The end of what it has printed. */
  #printed = ''

  /**
   * Starts a broker that is its own controller.
   *
   * @param jars folder with Kafka's jars and those that they need.
   */
  static async start(jars: string, secure?: SecureListeners): Promise<KafkaBroker> {
    const ports = {
      plain: await freePort(),
      controller: await freePort(),
      sasl: await freePort(),
      mutualTls: await freePort(),
    }
    const broker = new KafkaBroker(jars, ports, secure)
    const users = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) =>
      secure ? ['--add-scram', `${mechanism}=[name=${secure.username},password=${secure.password}]`] : [],
    )
    try {
      const format = ['format', '--standalone', '-t', 'bW91bGluLXRlc3QtY2x1cw', ...users, '-c']
      await broker.#run('kafka.tools.StorageTool', ...format)
      await broker.start()
      return broker
    } catch (error) {
      await broker.close()
      throw error
    }
  }

  private constructor(jars: string, ports: Ports, secure: SecureListeners | undefined) {
    this.#jars = jars
    this.#port = ports.plain
    this.address = `127.0.0.1:${ports.plain}`
    this.saslAddress = `127.0.0.1:${ports.sasl}`
    this.mutualTlsAddress = `127.0.0.1:${ports.mutualTls}`
    this.#folder = mkdtempSync(join(tmpdir(), 'moulin-kafka-'))
    writeFileSync(join(this.#folder, 'server.properties'), properties(this.#folder, ports, secure))
  }

  /** Begins it; resolves when it takes connections. */
  async start(): Promise<void> {
    const flags = ['-Xms128m', '-Xmx384m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']
    const child = this.#java(flags, ['kafka.Kafka'])
    this.#child = child
    for (const deadline = performance.now() + startTimeout; ; await sleep(100)) {
      if (await isOpen(this.#port)) return
      if (child.exitCode !== null || performance.now() > deadline) {
        await this.kill()
        throw new Error(`The broker did not start: ${this.#printed}`)
      }
    }
  }

  /** Ends the process, as `kill -9` does. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  async close(): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #run(...tool: readonly string[]): Promise<void> {
    const child = this.#java(['-Xmx128m', '-XX:TieredStopAtLevel=1'], tool)
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code !== 0) throw new Error(`The broker's folder was not made: ${this.#printed}`)
  }

  #java(flags: readonly string[], command: readonly string[]): ChildProcess {
    const file = join(this.#folder, 'server.properties')
    const child = spawn('java', [...flags, logging, '-cp', `${this.#jars}/*`, ...command, file], {
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const keep = (chunk: Buffer) => {
      this.#printed = (this.#printed + chunk.toString()).slice(-4_000)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.once('error', (error) => keep(Buffer.from(error.message)))
    return child
  }
}

interface Ports {
  readonly plain: number
  readonly controller: number
  readonly sasl: number
  readonly mutualTls: number
}

function properties(folder: string, ports: Ports, secure: SecureListeners | undefined): string {
  const listeners = [
    `PLAINTEXT://127.0.0.1:${ports.plain}`,
    ...(secure ? [`SASL://127.0.0.1:${ports.sasl}`, `MUTUAL://127.0.0.1:${ports.mutualTls}`] : []),
  ].join(',')
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': 1,
    listeners: `${listeners},CONTROLLER://127.0.0.1:${ports.controller}`,
    'advertised.listeners': listeners,
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.bootstrap.servers': `127.0.0.1:${ports.controller}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_SSL,MUTUAL:SSL',
    ...(secure && security(secure)),
    'log.dirs': join(folder, 'logs'),
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1_000,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 3,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.num.partitions': 3,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    // Back sooner after a kill.
    'broker.session.timeout.ms': 2_000,
    'broker.heartbeat.interval.ms': 200,
  })
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

function security({ keystore, truststore, username, password }: SecureListeners): Record<string, string> {
  const modules = 'org.apache.kafka.common.security'
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': keystore,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': truststore,
    'listener.name.mutual.ssl.client.auth': 'required',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.sasl.plain.sasl.jaas.config': `${modules}.plain.PlainLoginModule required user_${username}="${password}";`,
    'listener.name.sasl.scram-sha-256.sasl.jaas.config': `${modules}.scram.ScramLoginModule required;`,
    'listener.name.sasl.scram-sha-512.sasl.jaas.config': `${modules}.scram.ScramLoginModule required;`,
  }
}

async function isOpen(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
