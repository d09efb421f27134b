import { cidr } from '@weir/contract'
import { expect, test } from 'vitest'
import { publicOnly, refusalOf, withLoopback } from './address-policy.ts'
import { createConnection } from './connection.ts'

test.each([
  '127.0.0.1',
  '10.1.2.3',
  '172.31.255.255',
  '192.168.0.1',
  '169.254.169.254',
  '100.64.0.1',
  '0.0.0.0',
  '224.0.0.1',
  '255.255.255.255',
  '::1',
  '::',
  'fe80::1',
  'fd00::1',
  'ff02::1',
  '64:ff9b::a00:1',
  '2002:7f00:1::',
  '::ffff:127.0.0.1',
  'not-an-address',
])('%s is never dialled in production', (address) =>
  expect(refusalOf(publicOnly, address)).toBeTypeOf('string'),
)

test.each(['8.8.8.8', '172.32.0.1', '2606:4700::1111'])('%s is public', (address) =>
  expect(refusalOf(publicOnly, address)).toBeUndefined(),
)

test('a block that is allowed opens nothing else', () => {
  expect(refusalOf(withLoopback, '127.0.0.1')).toBeUndefined()
  expect(refusalOf(withLoopback, '169.254.169.254')).toBeTypeOf('string')
  const company = { allow: [cidr.parse('10.20.0.0/16')] }
  expect(refusalOf(company, '10.20.1.1')).toBeUndefined()
  expect(refusalOf(company, '10.21.1.1')).toBeTypeOf('string')
})

test.each(['https://127.0.0.1', 'https://2130706433', 'https://0x7f.1', 'https://0177.0.0.1'])(
  'a literal address is checked however it is spelt: %s',
  async (spelt) => {
    const server = new URL(spelt).origin
    const auth = { kind: 'token', token: 't' } as const
    const connection = createConnection({ server, ca: '', auth }, { policy: publicOnly })
    await expect(connection.identity()).rejects.toThrow(/loopback/)
    await connection.close()
  },
)

test('a name is checked by what it resolves to when it is dialled', async () => {
  const auth = { kind: 'token', token: 't' } as const
  const credentials = { server: 'https://localhost:1', ca: '', auth }
  const connection = createConnection(credentials, { policy: publicOnly })
  const problem = await connection.identity().catch((error: unknown) => error)
  expect(problem).toMatchObject({
    cause: { message: expect.stringContaining('loopback') as string },
  })
  await connection.close()
})
