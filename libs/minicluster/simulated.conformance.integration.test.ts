import { describeMinicluster } from './minicluster.conformance.ts'
import { startSimulatedMinicluster } from './start.ts'

describeMinicluster({
  kind: 'simulated',
  start: startSimulatedMinicluster,
  network: '127.61.1',
  kubectl: 'kubectl',
})
