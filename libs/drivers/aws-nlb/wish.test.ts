import { expect, test } from 'vitest'
import { desiredOf } from '../sample-desired.ts'
import { awsNlbSettings } from './settings.ts'
import { marksAsTags, marksOf, readTags } from './tags.ts'
import { findRefusal, instanceOf, wishOf } from './wish.ts'

const settings = awsNlbSettings.parse({
  region: 'eu-central-1',
  vpcId: 'vpc-1',
  subnetIds: ['subnet-1'],
})
const at = (port: number, over: object = {}) =>
  ({ ip: '0.0.0.0', protocol: 'TCP', port, nodePort: 30_000 + port, ...over }) as never

test.each([
  ['aws:///eu-central-1a/i-0123456789abcdef0', 'i-0123456789abcdef0'],
  ['aws:///i-0123456789abcdef0', 'i-0123456789abcdef0'],
  ['aws:///eu-central-1a/i-12345678', 'i-12345678'],
  ['aws:///eu-central-1a/fargate-ip-10-0-0-1', undefined],
  ['aws://eu-central-1a/i-0123456789abcdef0', undefined],
  ['aws:///a/b/i-0123456789abcdef0', undefined],
  ['openstack:///3f1c', undefined],
  ['', undefined],
  [undefined, undefined],
])('provider id %s is instance %s', (providerId, instance) => {
  expect(instanceOf(providerId)).toBe(instance)
})

test('a port is one listener and one group; TCP and UDP on it are both in one', () => {
  const frontends = [at(53), at(53, { protocol: 'UDP' }), at(443)]
  const { listeners, rules } = wishOf(desiredOf(1, { frontends }), settings)
  expect(listeners.map(({ port, protocol }) => `${protocol}/${port}`)).toEqual([
    'TCP_UDP/53',
    'TCP/443',
  ])
  expect(rules.map(({ protocol, fromPort, cidr }) => `${protocol}/${fromPort} ${cidr}`)).toEqual([
    'tcp/53 0.0.0.0/0',
    'udp/53 0.0.0.0/0',
    'tcp/443 0.0.0.0/0',
  ])
})

test('TCP and UDP on one port with two nodePorts are refused', () => {
  const frontends = [at(53), at(53, { protocol: 'UDP', nodePort: 31_000 })]
  expect(findRefusal(desiredOf(1, { frontends }))).toMatchObject({ capability: 'samePortTcpUdp' })
})

test('an address by name is refused, be it asked for or held', () => {
  const held = { frontends: [at(80, { ip: '198.51.100.7' })] }
  const asked = { frontends: [at(80)], requestedAddress: '198.51.100.7' as never }
  for (const over of [held, asked]) {
    expect(findRefusal(desiredOf(1, over))).toMatchObject({ capability: 'addresses' })
  }
  expect(findRefusal(desiredOf(1, { frontends: [at(80)] }))).toBeUndefined()
})

test('marks survive the way through tags; what is broken there is no mark', () => {
  const { marks } = desiredOf()
  const tags = marksAsTags(marks, 'target-group', 7)
  expect(marksOf(readTags(tags))).toEqual(marks)
  for (const { Key } of tags.filter((tag) => !/role|generation/.test(tag.Key))) {
    expect(marksOf(readTags(tags.filter((tag) => tag.Key !== Key)))).toBeNull()
    const broken = tags.map((tag) => (tag.Key === Key ? { Key, Value: '0 or 1' } : tag))
    expect(marksOf(readTags(broken))).toBeNull()
  }
})

test.each([
  [{ region: 'somewhere' }, 'region'],
  [{ subnetIds: [] }, 'subnetIds'],
  [{ subnetIds: ['subnet-1', 'subnet-1'] }, 'subnetIds'],
  [{ vpcId: 'subnet-1' }, 'vpcId'],
  [{ deregistrationDelaySeconds: 4000 }, 'deregistrationDelaySeconds'],
  [{ secretAccessKey: 'x' }, ''],
])('settings %o are refused by name', (over, field) => {
  const parsed = awsNlbSettings.safeParse({ ...settings, ...over })
  expect(parsed.error?.issues[0]?.path.join('.')).toBe(field)
})
