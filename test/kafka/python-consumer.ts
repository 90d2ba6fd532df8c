import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { kafkaOptions } from '../../src/purge/purgers/kafka/options.ts'

const program = fileURLToPath(new URL('../../examples/kafka-consumer-python/consumer.py', import.meta.url))

/**
 * Runs the consumer of these options until the end of an `await using` block.
 *
 * @param python a Python that has what the consumer requires.
 */
export function startPythonConsumer(
  python: string,
  given: Readonly<Record<string, unknown>>,
): AsyncDisposable & { readonly stderr: () => string } {
  const { brokers, topics } = kafkaOptions(given)
  const args = [program, brokers.join(','), topics.tasks, topics.results]
  const child = spawn(python, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let printed = ''
  child.stderr.on('data', (chunk) => {
    printed += String(chunk)
  })
  return {
    stderr: () => printed,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
