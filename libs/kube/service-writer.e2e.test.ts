import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { obtainKubernetesBinaries, startKubernetesMinicluster } from '@weir/minicluster'
import { writesConformance } from './service-writer.conformance.ts'

writesConformance('the real API server', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'weir-kube-'))
  const binaries = await obtainKubernetesBinaries({ env: process.env })
  const options = { stateDir, port: 0, nodes: [], binaries, unsafeNoFsync: true }
  const cluster = await startKubernetesMinicluster(options)
  const stop = async (): Promise<void> => {
    await cluster.stop()
    await rm(stateDir, { recursive: true, force: true })
  }
  return { kubeconfig: cluster.kubeconfig, stop }
})
