import { afterAll, beforeAll, describe } from 'vitest'
import { kubectlRules } from './conformance/kubectl.conformance.ts'
import { lifecycleRules } from './conformance/lifecycle.conformance.ts'
import { objectRules } from './conformance/objects.conformance.ts'
import { createRig } from './conformance/rig.conformance.ts'
import { serviceStatusRules } from './conformance/service-status.conformance.ts'
import { serviceRules } from './conformance/services.conformance.ts'
import { trafficRules } from './conformance/traffic.conformance.ts'
import { watchRules } from './conformance/watches.conformance.ts'
import type { Minicluster, MiniclusterOptions } from './minicluster.ts'

export interface MiniclusterUnderTest {
  readonly kind: string
  readonly start: (options: MiniclusterOptions) => Promise<Minicluster>
  /** The first three parts of the nodes' addresses: one network per test file, such as `127.61.1`. */
  readonly network: string
  /** kubectl's path, or its name on PATH. */
  readonly kubectl: string
}

/** What `Minicluster` promises and what its API server does, run alike on both kinds. */
export const describeMinicluster = (subject: MiniclusterUnderTest): void => {
  const { start, network, kubectl } = subject
  const nodes = [1, 2, 3].map((n) => ({
    name: `node-${n}`,
    address: `${network}.${n}`,
    labels: { zone: `z${n}` },
  }))
  const rig = createRig({ start, nodes, kubectl })
  describe(`a ${subject.kind} minicluster`, () => {
    beforeAll(() => rig.start(), 120_000)
    afterAll(() => rig.end(), 60_000)
    serviceRules(rig)
    serviceStatusRules(rig)
    objectRules(rig)
    watchRules(rig)
    trafficRules(rig)
    kubectlRules(rig)
    lifecycleRules(rig)
  })
}
