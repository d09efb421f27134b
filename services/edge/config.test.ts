import { expect, test } from 'vitest'
import { config } from './config.ts'

const least = {
  NATS_URL: 'nats://127.0.0.1:4222',
  WEIR_EDGE_ID: 'edge-1',
  WEIR_EDGE_STATE_DIR: '.weir',
}

test('an edge announces nothing unless it is told how', () => {
  expect(config.parse(least)).toMatchObject({
    WEIR_EDGE_ANNOUNCE: 'none',
    WEIR_EDGE_BGP_COMMUNITIES: [],
  })
})

test('communities are told alike in whatever sequence they are written', () => {
  const communitiesOf = (text: string) =>
    config.parse({ ...least, WEIR_EDGE_BGP_COMMUNITIES: text }).WEIR_EDGE_BGP_COMMUNITIES
  expect(communitiesOf('64512:2, 64512:1  1:1 64512:2')).toEqual([
    65_537, 4_227_858_433, 4_227_858_434,
  ])
})

test.each(['64512', '65536:1', '1:65536', 'no-export'])('%s is no community', (text) => {
  const parsed = config.safeParse({ ...least, WEIR_EDGE_BGP_COMMUNITIES: text })
  expect(parsed.error?.issues[0]?.message).toBe('expected communities such as 64512:100 64512:200')
})
