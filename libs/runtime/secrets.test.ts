import { expect, test } from 'vitest'
import { openSecret, sealSecret, type SecretContext } from './secrets.ts'

const key = new Uint8Array(32).fill(7)
const context: SecretContext = { tenant: 'acme', cluster: 'c1', field: 'token' }
const text = 'a bearer token, naïve'

test('a sealed secret opens with its key in its context', async () => {
  const sealed = await sealSecret(key, context, text)
  expect(new TextDecoder().decode(sealed)).not.toContain('bearer')
  expect(await openSecret(key, context, sealed)).toBe(text)
})

test('the same secret sealed twice does not look the same', async () => {
  expect(await sealSecret(key, context, text)).not.toEqual(await sealSecret(key, context, text))
})

test.each([
  ['tenant', { ...context, tenant: 'evil' }],
  ['cluster', { ...context, cluster: 'c2' }],
  ['field', { ...context, field: 'clientKey' }],
])('a secret copied to another %s does not open', async (name, other) => {
  const sealed = await sealSecret(key, context, text)
  await expect(openSecret(key, other, sealed)).rejects.toThrow(`was sealed for another ${name}`)
})

test('a header rewritten to another context does not open', async () => {
  const sealed = new TextDecoder().decode(await sealSecret(key, context, text))
  const [head = '', ...rest] = sealed.split('.')
  const header = Buffer.from(head, 'base64url').toString().replace('acme', 'evil')
  const forged = [Buffer.from(header).toString('base64url'), ...rest].join('.')
  const opening = openSecret(key, { ...context, tenant: 'evil' }, new TextEncoder().encode(forged))
  await expect(opening).rejects.toThrow('is WEIR_MASTER_KEY the one it was sealed with?')
})

test('another key, a changed byte and what is no sealed secret at all are refused', async () => {
  const sealed = await sealSecret(key, context, text)
  await expect(openSecret(new Uint8Array(32), context, sealed)).rejects.toThrow('cannot open')
  const changed = sealed.slice()
  changed[sealed.length - 30]! ^= 1
  await expect(openSecret(key, context, changed)).rejects.toThrow('cannot open')
  await expect(openSecret(key, context, new Uint8Array([1, 2]))).rejects.toThrow('cannot open')
})
