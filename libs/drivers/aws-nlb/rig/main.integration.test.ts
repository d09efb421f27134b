import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { systemClock } from '@weir/kernel'
import { expect, test } from 'vitest'
import { serve } from '../../carry-out.ts'
import type { RigAccount } from './account.ts'
import { driverOn, sampleOn } from './driver-rig.ts'

test('the fake runs as a process of its own, can be told things, and ends when it is told to', async () => {
  const main = join(import.meta.dirname, 'main.ts')
  const child = spawn(process.execPath, [main], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    const instances = { 'i-0123456789abcdef0': '10.0.0.1', 'i-0123456789abcdef1': '10.0.0.2' }
    const account: RigAccount = { ...(JSON.parse(line) as RigAccount), instances }
    const tell = async (orders: object): Promise<Record<string, unknown>> => {
      const answer = await fetch(`${account.endpoint}/_fake`, {
        method: 'POST',
        body: JSON.stringify(orders),
      })
      expect(answer.status).toBe(200)
      return (await answer.json()) as Record<string, unknown>
    }
    await tell({ instances })
    const driver = driverOn(account, systemClock)
    expect(await serve(driver, sampleOn(account))).toEqual({ status: 'done' })
    const told = await tell({ meet: [{ kind: 'throttle', action: 'AddTags' }], journalFrom: 8 })
    expect(told['things']).toHaveLength(3)
    expect(told['journal']).toMatchObject([{ action: 'AddTags' }])
    const next = sampleOn(account, 1, { generation: 2 })
    expect(await serve(driver, next)).toMatchObject({ status: 'retry' })
    const wrong = await fetch(`${account.endpoint}/_fake`, { method: 'POST', body: '{"x":1}' })
    expect(wrong.status).toBe(400)
  } finally {
    child.kill('SIGTERM')
  }
  expect(await once(child, 'exit')).toEqual([0, null])
})
