import { expect, test } from 'vitest'
import type { Shared } from '../harness/walk.ts'

export const demo = (shared: Shared): void => {
  test('weir demo sees every step of a life and exits 0', async () => {
    const { code, stdout, stderr } = await shared().weir('demo -o json')
    expect(code, stderr).toBe(0)
    const steps = JSON.parse(stdout) as { step: string; ok: boolean; ms: number }[]
    expect(steps.length).toBeGreaterThan(10)
    expect(steps.filter(({ ok }) => !ok)).toEqual([])
  })

  test('weir check finds every part well', async () => {
    const { code, stdout, stderr } = await shared().weir('check -o json')
    expect(code, stdout + stderr).toBe(0)
  })
}
