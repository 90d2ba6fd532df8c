import { join } from 'node:path'
import { cache, once, programVersion, root, type Toolchain } from './toolchain.ts'

/** PyIceberg, pytest and SeaweedFS in a virtual environment. */
export function python(): Toolchain {
  if (programVersion('python3', '-c', 'import venv, ensurepip') === undefined) {
    return { kind: 'missing', reason: 'python3 with venv is not installed' }
  }
  const requirements = join(root, 'test', 'interop', 'requirements.txt')
  const venv = join(cache, 'venv')
  try {
    once('python.stamp', requirements, [
      ['python3', '-m', 'venv', venv],
      [join(venv, 'bin', 'pip'), 'install', '--quiet', '--disable-pip-version-check', '-r', requirements],
    ])
  } catch (error) {
    return { kind: 'missing', reason: `the Python packages cannot be installed: ${(error as Error).message}` }
  }
  return { kind: 'ready', environment: { MOULIN_TEST_PYTHON: join(venv, 'bin') } }
}
