import { afterAll, beforeAll, describe } from 'vitest'
import { labTests } from './ground.ts'
import { platformProblem, startKernelPlatform, type KernelPlatform } from './kernel-platform.ts'
import { announcing } from './suites/announcing.ts'
import { life } from './suites/life.ts'
import { losses } from './suites/losses.ts'
import { noNodePorts } from './suites/no-node-ports.ts'
import { oneAddress } from './suites/one-address.ts'
import { policies } from './suites/policies.ts'
import { proxies } from './suites/proxies.ts'
import { sharing } from './suites/sharing.ts'
import { verify } from './suites/verify.ts'

const problem = await platformProblem()

describe.skipIf(problem !== undefined)(
  `kernel edges before real kube-proxies${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let platform: KernelPlatform | undefined
    beforeAll(async () => {
      platform = await startKernelPlatform()
    }, 180_000)
    afterAll(() => platform?.stop())
    const scenario = labTests(() => {
      if (platform) return platform
      throw new Error('the platform did not start')
    })
    describe('what pods see', () => {
      policies(scenario)
    })
    describe('how pods share', () => {
      sharing(scenario)
    })
    describe('one Service', () => {
      life(scenario)
    })
    describe('two Services at one address', () => {
      oneAddress(scenario)
    })
    describe('without node ports', () => {
      noNodePorts(scenario)
    })
    describe('the tables', () => {
      verify(scenario)
    })
    describe('announced by BGP', () => {
      announcing(scenario)
    })
    describe('losses', () => {
      losses(scenario)
    })
    describe('proxies', () => {
      proxies(scenario)
    })
  },
)
