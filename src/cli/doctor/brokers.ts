import { connect } from 'node:net'
import { error, type Finding, ok, reasonOf } from './finding.ts'

/** Milliseconds for a broker to take a connection. */
const timeout = 3_000

/**
 * Sees whether one of the brokers takes connections; they tell of the others. What it would say to us, TLS and passwords
 * included, is not tried.
 *
 * @param options checked before.
 */
export async function checkBrokers(
  options: Readonly<Record<string, unknown>>,
  purpose: string,
): Promise<Finding> {
  const brokers = options.brokers as readonly string[]
  try {
    const broker = await Promise.any(brokers.map(reach))
    return ok(`reaches Kafka ${purpose}: ${broker}`)
  } catch (thrown) {
    return error(
      `does not reach Kafka ${purpose}: ${reasonOf(thrown)}`,
      'Check host and port in the option brokers, that the brokers run, and that nothing stands between.',
    )
  }
}

/** Throws what connecting throws, with the broker's name. */
async function reach(broker: string): Promise<string> {
  const [, host, port] = /^\[?(.+?)\]?:(\d+)$/.exec(broker)!
  const socket = connect({ host: host!, port: Number(port) })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.setTimeout(timeout, () => reject(new Error(`no answer within ${timeout / 1_000} s`)))
      socket.once('connect', resolve).once('error', reject)
    })
    return broker
  } catch (thrown) {
    throw new Error(`${broker}: ${reasonOf(thrown)}`, { cause: thrown })
  } finally {
    socket.destroy()
  }
}
