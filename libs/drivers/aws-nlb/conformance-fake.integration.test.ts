import { testDriver } from '../driver.conformance.ts'
import { createFakeRig, fakeOptions } from './rig/driver-rig.ts'

testDriver('aws-nlb', fakeOptions, () => createFakeRig())
