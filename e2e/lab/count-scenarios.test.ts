import { expect, test } from 'vitest'
import { countScenarios } from './count-scenarios.ts'

test('a scenario counts once for each family with each protocol that its title names', () => {
  const titles = [
    'drain; IPv4, IPv6; TCP, UDP',
    'ranges, UDP over IPv6',
    'rounds of affinity, IPv4',
    'a table',
  ]
  expect(countScenarios(titles).split('\n')).toEqual([
    '4 passed            TCP        UDP  not named',
    'IPv4                  1          1          1',
    'IPv6                  1          2          0',
    'not named             0          0          1',
  ])
})
