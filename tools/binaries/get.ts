// `npm run binaries -- NAME...`: makes sure that programs npm does not bring are on this machine, and prints
// where each is. Building the Kubernetes ones takes about nine minutes on two cores, once.
import { resolve } from 'node:path'
import { BINARIES, obtainBinary, type BinaryName } from '@weir/embedded'
import { explainError } from '@weir/kernel'

const goSourceDir = resolve(import.meta.dirname, '../../libs/minicluster/kubernetes/program')
const known = Object.keys(BINARIES)
const isKnown = (name: string): name is BinaryName => known.includes(name)

const names = process.argv.slice(2)
if (names.length === 0 || !names.every(isKnown)) {
  process.stderr.write(`usage: npm run binaries -- NAME...   (${known.join(', ')})\n`)
  process.exit(2)
}
try {
  for (const name of names.filter(isKnown)) {
    const onProgress = (line: string): void => void process.stderr.write(`  ${line}\n`)
    const path = await obtainBinary(name, { env: process.env, goSourceDir, onProgress })
    process.stdout.write(`${name}\t${path}\n`)
  }
} catch (error) {
  process.stderr.write(`${explainError(error)}\n`)
  process.exit(1)
}
