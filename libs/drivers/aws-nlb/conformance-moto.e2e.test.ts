import { afterAll, beforeAll } from 'vitest'
import { testDriver } from '../driver.conformance.ts'
import { createMotoRig, motoOptions } from './rig/moto-rig.ts'
import { startMoto, type MotoServer } from './rig/moto-server.ts'

let moto: MotoServer
beforeAll(async () => {
  moto = await startMoto(process.env)
}, 360_000)
afterAll(() => moto?.stop())

testDriver('aws-nlb', motoOptions, () => createMotoRig(moto))
