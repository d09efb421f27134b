import { expect, test } from 'vitest'
import { desiredOf } from '../sample-desired.ts'
import {
  loadBalancerName,
  securityGroupName,
  targetGroupName,
  targetGroupPrefix,
  type FixedAttributes,
} from './names.ts'

const { marks } = desiredOf()
const fixed: FixedAttributes = {
  protocol: 'TCP',
  listenerPort: 80,
  nodePort: 30_080,
  targetType: 'instance',
  healthCheckProtocol: 'HTTP',
  vpcId: 'vpc-1',
}

test('names are what AWS takes: 31 letters and digits behind weir-', () => {
  for (const name of [
    loadBalancerName(marks),
    securityGroupName(marks),
    targetGroupName(marks, fixed),
  ]) {
    expect(name).toMatch(/^weir-[a-z2-7]{26}$/)
  }
})

test('a name never changes, as whoever comes after a crash must meet what is there', () => {
  expect(loadBalancerName(marks)).toBe('weir-r7adqbbsgo4iqfoktfajmdbdss')
  expect(targetGroupName(marks, fixed)).toBe('weir-7oibx3fzcdck7xrazvtr3mqzjn')
})

test('another owner or incarnation has other names', () => {
  const others = [
    { ...marks, epoch: 2 },
    desiredOf(2).marks,
    desiredOf(1, { installation: 'theirs' }).marks,
    desiredOf(1, { driver: 'aws-two' }).marks,
  ]
  const names = [marks, ...others].flatMap((each) => [
    loadBalancerName(each),
    securityGroupName(each),
    targetGroupPrefix(each),
  ])
  expect(new Set(names).size).toBe(names.length)
})

test('what a target group can never change is in its name; whose it is, in the first half', () => {
  const changes = [
    { protocol: 'UDP' },
    { listenerPort: 81 },
    { nodePort: 30_081 },
    { vpcId: 'vpc-2' },
  ]
  const names = [fixed, ...changes.map((change) => ({ ...fixed, ...change }))].map((each) =>
    targetGroupName(marks, each),
  )
  expect(new Set(names).size).toBe(names.length)
  for (const name of names) expect(name.startsWith(targetGroupPrefix(marks))).toBe(true)
})
