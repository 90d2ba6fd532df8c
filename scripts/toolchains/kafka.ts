import { join } from 'node:path'
import { cache, once, programVersion, root, type Toolchain } from './toolchain.ts'

/** A Kafka broker as a folder of jars. */
export function kafka(): Toolchain {
  if (programVersion('java', '-version') === undefined)
    return { kind: 'missing', reason: 'java is not installed' }
  if (programVersion('mvn', '--version') === undefined)
    return { kind: 'missing', reason: 'mvn is not installed' }
  const pom = join(root, 'test', 'kafka', 'pom.xml')
  const jars = join(cache, 'kafka')
  try {
    once('kafka.stamp', pom, [
      [
        'mvn',
        '-q',
        '-B',
        '-f',
        pom,
        'dependency:copy-dependencies',
        `-DoutputDirectory=${jars}`,
        '-DincludeScope=runtime',
      ],
    ])
  } catch (error) {
    return { kind: 'missing', reason: `the broker cannot be installed: ${(error as Error).message}` }
  }
  return { kind: 'ready', environment: { MOULIN_TEST_KAFKA: jars, ...pythonConsumer() } }
}

/** What the consumer in Python needs. Without it, tests of it are skipped and say so. */
function pythonConsumer(): Record<string, string> {
  if (programVersion('python3', '-c', 'import venv, ensurepip') === undefined) return {}
  const requirements = join(root, 'examples', 'kafka-consumer-python', 'requirements.txt')
  const venv = join(cache, 'kafka-venv')
  try {
    once('kafka-python.stamp', requirements, [
      ['python3', '-m', 'venv', venv],
      [join(venv, 'bin', 'pip'), 'install', '--quiet', '--disable-pip-version-check', '-r', requirements],
    ])
  } catch (error) {
    console.log(`the packages of the consumer in Python cannot be installed: ${(error as Error).message}`)
    return {}
  }
  return { MOULIN_TEST_KAFKA_PYTHON: join(venv, 'bin', 'python') }
}
