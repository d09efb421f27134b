import { expect, test } from 'vitest'
import { arrivedIn } from './nft-news.ts'
import { createSightings } from './sightings.ts'

test('what is known by the address belongs to the Service, whoever tells it first', () => {
  const sightings = createSightings()
  sightings.note({ who: '203.0.113.1', mark: 'applied e1', at: 30 })
  sightings.note({ who: 'uid-1', mark: 'told', at: 20, ip: '203.0.113.1' })
  sightings.note({ who: 'uid-1', mark: 'created', at: 10 })
  expect(sightings.uids()).toEqual(['uid-1'])
  expect(sightings.of('uid-1')).toEqual({ created: 10, told: 20, 'applied e1': 30 })
})

test('of what is told again the first time counts', () => {
  const sightings = createSightings()
  for (const at of [7, 5, 9]) sightings.note({ who: 'uid-1', mark: 'created', at })
  expect(sightings.of('uid-1')).toEqual({ created: 5 })
})

test.each([
  [
    'add element netdev weir fe { 203.0.113.1 . tcp . 8080 : 0:1 }',
    { table: 'weir', map: 'fe', ip: '203.0.113.1' },
  ],
  [
    'add element netdev weir fe6 { 2001:db8:f::1 . tcp . 8080 : 0:1 }',
    { map: 'fe6', ip: '2001:db8:f::1' },
  ],
  ['add element netdev weir slots { 0:1 . 0x00000007 : 02:00:00:00:00:01 }', undefined],
  ['delete element netdev weir fe { 203.0.113.1 . tcp . 8080 : 0:1 }', undefined],
])('nft says %s', (line, arrived) => {
  const said = arrivedIn(line)
  if (arrived === undefined) expect(said).toBeUndefined()
  else expect(said).toMatchObject(arrived)
})
