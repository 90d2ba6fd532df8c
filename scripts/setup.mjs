/**
 * Runs a script of this repository with Node.js 24, after making the clone ready for it:
 *
 *     node scripts/setup.mjs src/cli/main.ts serve --port 8181
 *
 * Any Node.js from 18 on can run this file. When what is installed is not what package-lock.json says, it calls
 * `npm ci`, which also brings Node.js 24 itself: the development dependency `node` is that program as a package.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const modules = join(root, 'node_modules')
const bundledNode = join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
const minimumMajor = 24
const isRecentNode = Number(process.versions.node.split('.')[0]) >= minimumMajor

const [script, ...args] = process.argv.slice(2)
if (script === undefined) {
  console.error('Usage: node scripts/setup.mjs SCRIPT [ARGUMENT …]')
  process.exit(2)
}
if (!isReady()) await install()
run(join(root, script), args)

/** Whether everything that package-lock.json names is installed, in that version. */
function isReady() {
  if (!isRecentNode && !existsSync(bundledNode)) return false
  const wanted = lockedPackages(join(root, 'package-lock.json'))
  // npm's own record of what it has installed, written when an installation is complete.
  const installed = lockedPackages(join(modules, '.package-lock.json'))
  return Object.entries(wanted).every(([path, { version, integrity, optional, devOptional }]) => {
    if (path === '') return true
    const found = installed[path]
    if (found === undefined) return optional === true || devOptional === true
    return found.version === version && found.integrity === integrity
  })
}

function lockedPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages ?? {}
  } catch (error) {
    if (error.code === 'ENOENT') return {}
    throw error
  }
}

/** Installs once, however many commands were started at the same time. */
async function install() {
  const lock = join(root, '.cache', 'setup.lock')
  mkdirSync(dirname(lock), { recursive: true })
  while (!acquire(lock)) await sleep(250)
  try {
    if (isReady()) return
    console.error('Moulin: installing what package-lock.json names (once; about a minute) …')
    const npm = spawnSync('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: root,
      // A command's standard output is its own: what npm says goes to standard error.
      stdio: ['ignore', 2, 2],
      shell: process.platform === 'win32',
    })
    if (npm.status !== 0 || !isReady()) {
      console.error(
        [
          '',
          `Moulin: "npm ci" did not succeed${npm.error ? ` (${npm.error.message})` : ''}; npm's own words stand above.`,
          '  - Is the registry reachable?     npm ping',
          '  - Is the disk full?              about 500 MB are needed',
          '  - Were install scripts disabled? npm config get ignore-scripts   (must be false: Node.js 24 comes by one)',
          `Alternatively install Node.js ${minimumMajor} yourself, run "npm ci", and repeat the command.`,
        ].join('\n'),
      )
      process.exit(1)
    }
  } finally {
    rmSync(lock, { force: true })
  }
}

/** Takes the lock, or says that another living process has it. The file holds its owner's process id. */
function acquire(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    process.once('exit', () => rmSync(lock, { force: true }))
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    if (isAbandoned(lock)) rmSync(lock, { force: true })
    return false
  }
}

function isAbandoned(lock) {
  try {
    const owner = Number(readFileSync(lock, 'utf8'))
    // Created, but its owner has not written its id yet.
    if (!owner) return Date.now() - statSync(lock).mtimeMs > 5000
    process.kill(owner, 0)
    return false
  } catch (error) {
    return error.code === 'ESRCH'
  }
}

/** Runs the script, passes signals on, and ends as it ends. */
function run(file, scriptArgs) {
  const node = isRecentNode ? process.execPath : bundledNode
  const path = [dirname(node), join(modules, '.bin'), process.env.PATH].join(delimiter)
  const child = spawn(node, [file, ...scriptArgs], {
    stdio: 'inherit',
    env: { ...process.env, PATH: path },
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    console.error(`Moulin: ${node} cannot be started: ${error.message}`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    // Dies of the same signal, so that whoever started this sees what happened.
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}
