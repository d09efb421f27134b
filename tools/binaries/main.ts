// Gets the programs that npm does not bring: `node tools/binaries/main.ts [nats-server|envoy|kubernetes]...`
import { obtainBinary } from '@weir/embedded'
import { explainError } from '@weir/kernel'
import { goSourceDir, obtainKubernetesBinaries } from '@weir/minicluster'

const options = {
  env: process.env,
  goSourceDir,
  onProgress: (line: string): void => void process.stderr.write(`${line}\n`),
}

const groups: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  'nats-server': async () => [await obtainBinary('nats-server', options)],
  envoy: async () => [await obtainBinary('envoy', options)],
  kubernetes: async () => Object.values(await obtainKubernetesBinaries(options)),
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => groups[name] === undefined)
if (unknown.length > 0) {
  process.stderr.write(`unknown: ${unknown.join(', ')}; known: ${Object.keys(groups).join(', ')}\n`)
  process.exit(2)
}
try {
  for (const name of asked.length > 0 ? asked : Object.keys(groups)) {
    for (const path of (await groups[name]?.()) ?? []) process.stdout.write(`${path}\n`)
  }
} catch (error) {
  process.stderr.write(`${explainError(error)}\n`)
  process.exitCode = 1
}
