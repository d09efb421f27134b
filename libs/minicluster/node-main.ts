// What answers at the address of one node, for a cluster that is told `answeredElsewhere`, run where that address is:
// `node node-main.ts KUBECONFIG NAME=ADDRESS`. It goes on trying until it is ended.
import { explainError } from '@weir/kernel'
import { readFileSync } from 'node:fs'
import { credentialsOf } from './nodes/api.ts'
import { startHollowNodes } from './nodes/hollow-nodes.ts'

const [kubeconfig = '', node = ''] = process.argv.slice(2)
const [name = '', address = ''] = node.split('=')
const tell = (line: string): void => void process.stderr.write(`${line}\n`)

try {
  const credentials = credentialsOf(readFileSync(kubeconfig, 'utf8'))
  const half = 'proxy'
  await startHollowNodes({ ...credentials, half, nodes: [{ name, address }], onProgress: tell })
} catch (error) {
  tell(explainError(error))
  process.exit(1)
}
