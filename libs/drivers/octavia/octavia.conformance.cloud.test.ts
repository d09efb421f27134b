import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDriver } from '../driver.conformance.ts'
import { octaviaCapabilities } from './features.ts'
import { startOctaviaRig, type OctaviaRig } from './rig/octavia-rig.ts'
import { missingPrograms } from './rig/servers.ts'

const missing = missingPrograms()

if (missing === null) {
  // Each test has projects of its own, and there is much waiting: several at a time.
  describe.concurrent('octavia', () => {
    let rig: OctaviaRig
    beforeAll(async () => {
      rig = await startOctaviaRig()
    }, 120_000)
    afterAll(() => rig.stop())

    testDriver(
      'octavia',
      {
        target: 'octavia-api 11.0.0',
        capabilities: octaviaCapabilities({ ipFamily: 'IPv4' }),
        tokens: true,
        tellsOfChanges: false,
        tags: true,
        lags: false,
        timeoutMs: 3_600_000,
      },
      () => rig.world(),
    )
  })
} else {
  test(`octavia is left out where octavia-api is not installed: ${missing}`, () => {
    expect(process.env['CI']).toBeUndefined()
  })
}
