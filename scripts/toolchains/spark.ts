import { join } from 'node:path'
import { cache, once, programVersion, root, type Toolchain } from './toolchain.ts'

const version = '1.11.0'
const artifacts = ['iceberg-spark-runtime-4.0_2.13', 'iceberg-aws-bundle']

/** Spark from PyPI and Iceberg's runtime for it: about 700 MB, so only when it is asked for. */
export function spark(): Toolchain {
  for (const [program, argument] of [
    ['python3', '--version'],
    ['java', '-version'],
    ['mvn', '--version'],
  ] as const) {
    if (programVersion(program, argument) === undefined) {
      return { kind: 'missing', reason: `${program} is not installed` }
    }
  }
  const requirements = join(root, 'test', 'interop', 'spark', 'requirements.txt')
  const venv = join(cache, 'spark')
  const jars = join(venv, 'jars')
  try {
    once('spark.stamp', requirements, [
      ['python3', '-m', 'venv', venv],
      [join(venv, 'bin', 'pip'), 'install', '--quiet', '--disable-pip-version-check', '-r', requirements],
      ...artifacts.map((artifact) => [
        'mvn',
        '-q',
        '-B',
        'dependency:copy',
        `-Dartifact=org.apache.iceberg:${artifact}:${version}`,
        `-DoutputDirectory=${jars}`,
      ]),
    ])
  } catch (error) {
    return { kind: 'missing', reason: `Spark cannot be installed: ${(error as Error).message}` }
  }
  return {
    kind: 'ready',
    environment: {
      MOULIN_TEST_SPARK: join(venv, 'bin'),
      MOULIN_TEST_JARS: artifacts.map((artifact) => join(jars, `${artifact}-${version}.jar`)).join(','),
    },
  }
}
