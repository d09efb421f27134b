// The suite on moto, a server that others wrote: slower than ours by far, so with the end-to-end tests.
import { afterAll, beforeAll } from 'vitest'
import { testDriver } from '../driver.conformance.ts'
import { motoOptions, startMotoRigs, type MotoRigs } from './rig/moto-rig.ts'

let moto: MotoRigs
beforeAll(async () => {
  moto = await startMotoRigs(process.env)
}, 360_000)
afterAll(() => moto?.stop())

testDriver('aws-nlb', motoOptions, () => moto.rig())
