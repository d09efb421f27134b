import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { obtainKubernetesBinaries } from '../../kubernetes/binaries.ts'
import type { KubernetesApiServer } from '../../kubernetes/kubernetes-api-server.ts'
import { startKubernetesApiServer } from '../../kubernetes/start.ts'
import type { Json } from '../object.ts'
import { answersTo } from './answers.ts'
import { reach, type Reach } from './reach.ts'
import { serviceCases } from './service-cases.ts'

const path = new URL('service-answers.json', import.meta.url)
const recorded: Record<string, Json[]> = JSON.parse(readFileSync(path, 'utf8'))

// With WEIR_RECORD=1 the answers are written down anew, for a new version or new cases.
const { env } = process
const records = env['WEIR_RECORD'] === '1'

describe('the recorded answers are the real API server’s', () => {
  let folder: string
  let server: KubernetesApiServer
  let to: Reach
  const answers: Record<string, Json[]> = {}

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'weir-recorded-'))
    const binaries = await obtainKubernetesBinaries({ env })
    const options = { stateDir: folder, port: 0, binaries, unsafeNoFsync: true }
    server = await startKubernetesApiServer(options)
    to = reach(server.kubeconfig)
  })

  afterAll(async () => {
    if (records) writeFileSync(path, `${JSON.stringify(answers, null, 1)}\n`)
    await to.agent.close()
    await server.stop()
    rmSync(folder, { recursive: true })
  })

  test.each(serviceCases.map((one, index) => [one.name, one, index] as const))(
    '%s',
    async (name, one, index) => {
      answers[name] = await answersTo(to, one, `case-${index}`)
      expect(answers[name]).toEqual(records ? answers[name] : recorded[name])
    },
  )
})
