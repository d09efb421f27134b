import { findBinary } from '@weir/embedded'
import { goSourceDir, obtainKubernetesBinaries } from './kubernetes/binaries.ts'
import { describeMinicluster } from './minicluster.conformance.ts'
import { startKubernetesMinicluster } from './start.ts'

const { env } = process

describeMinicluster({
  kind: 'kubernetes',
  start: async (options) => {
    const binaries = await obtainKubernetesBinaries({ env })
    return startKubernetesMinicluster({ ...options, binaries, unsafeNoFsync: true })
  },
  network: '127.62.1',
  kubectl: findBinary('kubectl', { env, goSourceDir }) ?? 'kubectl',
})
