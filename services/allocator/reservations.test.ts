import { ipAddress } from '@weir/contract'
import { expect, test } from 'vitest'
import { createAddressIndex, type AddressClaim } from './domain/address-index.ts'
import { createReservations } from './reservations.ts'

const ip = ipAddress.parse('198.51.100.1')
const by = (holder: string): AddressClaim => ({
  ip,
  tenant: 'acme',
  holder,
  lastHolder: null,
  releasedAt: null,
  restsUntil: null,
})

test('what is undecided survives a reload of the rows', async () => {
  const index = createAddressIndex()
  const { reserve, reload } = createReservations(index)
  const mine = reserve([by('web')])
  await reload(async () => [])
  expect(index.get(ip)?.holder).toBe('web')
  mine.undo()
  expect(index.get(ip)).toBeUndefined()
})

test('what was recorded while the rows were read is not lost', async () => {
  const index = createAddressIndex()
  const { reserve, reload } = createReservations(index)
  const mine = reserve([by('web')])
  await reload(async () => {
    mine.keep()
    return []
  })
  expect(index.get(ip)?.holder).toBe('web')
})

test('what is taken back after a reload gives way to what the rows said', async () => {
  const index = createAddressIndex()
  const { reserve, reload } = createReservations(index)
  const mine = reserve([by('web')])
  await reload(async () => [by('mail')])
  mine.undo()
  expect(index.get(ip)?.holder).toBe('mail')
})
