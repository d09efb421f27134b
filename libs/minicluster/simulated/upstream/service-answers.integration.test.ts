import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Json } from '../object.ts'
import { type SimulatedApiServer, startSimulatedApiServer } from '../simulated.ts'
import { answersTo } from './answers.ts'
import { reach, type Reach } from './reach.ts'
import { serviceCases } from './service-cases.ts'

/** What Kubernetes v1.36.3 answered, recorded by `service-answers.e2e.test.ts`. */
const recorded: Record<string, Json[]> = JSON.parse(
  readFileSync(new URL('service-answers.json', import.meta.url), 'utf8'),
)

describe('Services are answered for as the real API server does', () => {
  let folder: string
  let server: SimulatedApiServer
  let to: Reach

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'weir-simulated-'))
    server = await startSimulatedApiServer({ stateDir: folder, port: 0 })
    to = reach(server.kubeconfig)
  })

  afterAll(async () => {
    await to.agent.close()
    await server.stop()
    rmSync(folder, { recursive: true })
  })

  test.each(serviceCases.map((one, index) => [one.name, one, index] as const))(
    '%s',
    async (name, one, index) => {
      expect(await answersTo(to, one, `case-${index}`)).toEqual(recorded[name])
    },
  )
})
