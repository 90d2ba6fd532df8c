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
  return { kind: 'ready', environment: { MOULIN_TEST_KAFKA: jars } }
}
