import { platformTenant } from '@weir/contract'
import { cleanupStory, foldCleanup } from '@weir/drivers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { adminToken, openApi, type Api } from '../rig/api.ts'

let api: Api
beforeEach(async () => {
  api = await openApi()
})
afterEach(() => api.close())

const post = (url: string, payload: object = {}) =>
  api.ask(adminToken, { method: 'POST', url: `/v1/gc/${url}`, payload })
const story = () => api.store.log.story(platformTenant, cleanupStory)
const types = async () => (await story()).map(({ type }) => type)
const rules = async () => foldCleanup(await story())

describe('cleanup', () => {
  test('is not approved in a new installation', async () => {
    expect(await rules()).toMatchObject({ mode: 'observe', approvedAt: 0 })
  })

  test('is approved each time anew: that tells what was looked at until then', async () => {
    expect((await post('approve')).json()).toEqual({ mode: 'apply' })
    await post('approve')
    expect(await types()).toEqual(['CleanupApproved', 'CleanupApproved'])
    expect((await rules()).mode).toBe('apply')
  })

  test('is suspended with a reason, once', async () => {
    await post('approve')
    await post('suspend', { why: 'a restore is under way' })
    await post('suspend', { why: 'a restore is under way' })
    expect(await types()).toEqual(['CleanupApproved', 'CleanupSuspended'])
    expect(await rules()).toMatchObject({ mode: 'observe', why: 'a restore is under way' })
  })

  test('is paused and resumed for one tenant, which must exist', async () => {
    expect((await post('pause', { tenant: 'nobody', why: 'x' })).statusCode).toBe(404)
    await api.tokenOf('acme', 'viewer')
    expect((await post('pause', { tenant: 'acme', why: 'asked for' })).statusCode).toBe(204)
    expect([...(await rules()).paused]).toEqual([['acme', 'asked for']])
    await post('resume', { tenant: 'acme' })
    await post('resume', { tenant: 'acme' })
    expect(await types()).toEqual(['CleanupPaused', 'CleanupResumed'])
  })

  test('is ordered only of what is condemned now; the rest is named', async () => {
    const [known, gone] = [crypto.randomUUID(), crypto.randomUUID()]
    api.fleet.current = {
      ...api.fleet.current,
      suspects: async () => [{ condemned: known } as never],
    }
    const answer = await post('orders', { condemned: [known, gone, known] })
    expect(answer.json()).toEqual({ ordered: 1, unknown: [gone] })
    expect([...(await rules()).ordered]).toEqual([known])
    expect((await post('orders', { condemned: [gone] })).json()).toMatchObject({ ordered: 0 })
    expect(await types()).toEqual(['CleanupOrdered'])
  })
})
