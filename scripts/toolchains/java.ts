import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cache, once, programVersion, root, type Toolchain } from './toolchain.ts'

/** Iceberg's REST Compatibility Kit and reference server as a class path. */
export function java(): Toolchain {
  if (programVersion('java', '-version') === undefined)
    return { kind: 'missing', reason: 'java is not installed' }
  if (programVersion('mvn', '--version') === undefined)
    return { kind: 'missing', reason: 'mvn is not installed' }
  const pom = join(root, 'test', 'interop', 'rck', 'pom.xml')
  const file = join(cache, 'rck-class-path.txt')
  try {
    once('java.stamp', pom, [
      ['mvn', '-q', '-B', '-f', pom, 'dependency:build-classpath', `-Dmdep.outputFile=${file}`],
    ])
  } catch (error) {
    return { kind: 'missing', reason: `the Java packages cannot be installed: ${(error as Error).message}` }
  }
  return { kind: 'ready', environment: { MOULIN_TEST_CLASS_PATH: readFileSync(file, 'utf8').trim() } }
}
