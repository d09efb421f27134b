import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { explainFailure, isInstalled, nodeVerdict, OLDEST_NODE } from './decide.js'
import { holdLock } from './lock.js'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const modules = join(root, 'node_modules')

/** Brings node_modules to what the lock file says, when it is not so, and sees that Node is new enough. */
export const prepare = () => {
  try {
    if (!upToDate()) install()
    requireNode()
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    console.error(`weir: ${error.message}`)
    process.exitCode = 1
  }
}

/** Something a person can mend; its message says how. */
class Refusal extends Error {}

const readJson = (file) => {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

/** npm writes the inner file last, so an install that was cut short has none. */
const upToDate = () => {
  const wanted = readJson(join(root, 'package-lock.json'))
  if (wanted === undefined) throw new Refusal('package-lock.json is missing or broken; restore it')
  return isInstalled(wanted, readJson(join(modules, '.package-lock.json')))
}

const install = () => {
  try {
    accessSync(root, constants.W_OK)
    if (existsSync(modules)) accessSync(modules, constants.W_OK)
    mkdirSync(join(root, '.weir'), { recursive: true })
  } catch {
    throw new Refusal(
      `no write access to ${root}, where packages must be installed; ` +
        'run as the user who owns it, or copy the checkout',
    )
  }
  const release = holdLock(join(root, '.weir', 'setup.lock'), (holder) =>
    console.error(`weir: waiting for process ${holder}, which is installing packages`),
  )
  try {
    // Whoever held the lock may have done it.
    if (upToDate()) return
    console.error('weir: installing packages, once for each change of package-lock.json')
    runNpm()
    if (!upToDate())
      throw new Refusal('npm ended well and yet packages are missing; run npm install')
  } finally {
    release()
  }
}

// Not `npm ci`: it refuses a lock file without the optional packages of every other platform, and a
// registry need not have them all. Versions and hashes come from the lock file here too, which stays
// as it is, and `upToDate` compares the outcome with it.
const NPM_INSTALL = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']

const runNpm = () => {
  const result = spawnNpm(NPM_INSTALL)
  if (result.error !== undefined && result.error.code === 'ENOENT') {
    throw new Refusal('npm is not on PATH; install it (it comes with Node) and try again')
  }
  if (result.status === 0) return
  throw new Refusal(explainFailure(`${result.stdout}${result.stderr}`, root))
}

const spawnNpm = (args) => {
  const env = { ...process.env }
  // A filter of the outer npm command would leave out the other workspaces.
  for (const name of ['workspace', 'workspaces', 'omit', 'only']) delete env[`npm_config_${name}`]
  const options = { cwd: root, env, encoding: 'utf8', maxBuffer: 64_000_000 }
  const outer = process.env.npm_execpath ?? ''
  return outer.endsWith('npm-cli.js') && existsSync(outer)
    ? spawnSync(process.execPath, [outer, ...args], options)
    : spawnSync('npm', args, options)
}

/** Scripts run with node_modules/.bin first on PATH: the Node of the package there is the one they get. */
const requireNode = () => {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  const bin = join(modules, '.bin', 'node')
  const brought = readJson(join(modules, name, 'package.json'))?.version
  const verdict = nodeVerdict({ brought, linked: existsSync(bin), host: process.versions.node })
  if (verdict === 'good') return
  if (verdict === 'link it') {
    mkdirSync(dirname(bin), { recursive: true })
    symlinkSync(join('..', name, 'bin', 'node'), bin)
    return
  }
  throw new Refusal(
    `weir runs on Node ${OLDEST_NODE} or newer; this is ${process.versions.node}, and npm brought none ` +
      `for ${process.platform}-${process.arch}. Install Node 24, or run npm install without --omit=optional`,
  )
}
