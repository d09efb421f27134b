import { generateKeyPairSync } from 'node:crypto'
import { rootCertificates } from 'node:tls'
import { InvalidInput } from '@weir/contract'
import { describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { decodeCredentials, encodeCredentials, parseKubeconfig } from './credentials.ts'

const [cert = ''] = rootCertificates
const newKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const key = newKey()

const base64 = (text: string): string => Buffer.from(text).toString('base64')
type Fields = Record<string, unknown>

const good = (cluster: Fields = {}, user: Fields = { token: 'abc.def' }): Fields => ({
  apiVersion: 'v1',
  kind: 'Config',
  'current-context': 'main',
  contexts: [{ name: 'main', context: { cluster: 'c', user: 'u' } }],
  clusters: [
    {
      name: 'c',
      cluster: {
        server: 'https://192.0.2.1:6443',
        'certificate-authority-data': base64(cert),
        ...cluster,
      },
    },
  ],
  users: [{ name: 'u', user }],
})

const refusedAt = (text: string, context?: string): string => {
  try {
    parseKubeconfig(text, context)
  } catch (error) {
    if (error instanceof InvalidInput) return error.field
    throw error
  }
  return 'accepted'
}

describe('a kubeconfig is accepted', () => {
  test('with a token', () => {
    const { server, auth } = parseKubeconfig(stringify(good()))
    expect({ server, auth }).toEqual({
      server: 'https://192.0.2.1:6443',
      auth: { kind: 'token', token: 'abc.def' },
    })
  })

  test('with an inline client certificate, as JSON too', () => {
    const user = { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) }
    expect(parseKubeconfig(JSON.stringify(good({}, user))).auth.kind).toBe('certificate')
  })

  test('for a context by name, whatever the other entries are', () => {
    const config = good()
    config['contexts'] = [
      { name: 'evil', context: { cluster: 'c', user: 'runs-a-program' } },
      { name: 'main', context: { cluster: 'c', user: 'u' } },
    ]
    config['current-context'] = 'evil'
    config['users'] = [
      { name: 'runs-a-program', user: { exec: { command: 'touch' } } },
      { name: 'u', user: { token: 't' } },
    ]
    expect(refusedAt(stringify(config))).toBe('users[0].user.exec')
    expect(refusedAt(stringify(config), 'main')).toBe('accepted')
  })

  test('and survives the vault', () => {
    const credentials = parseKubeconfig(stringify(good()))
    expect(decodeCredentials(encodeCredentials(credentials))).toEqual(credentials)
  })
})

const user = 'users[0].user'
const cluster = 'clusters[0].cluster'
const secret = 's3cr3t'

describe('a user that', () => {
  test.each<[string, Fields]>([
    ['exec', { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: '/bin/sh' } }],
    ['exec', { token: 't', exec: null }],
    ['auth-provider', { 'auth-provider': { name: 'gcp', config: { 'cmd-path': 'sh' } } }],
    ['auth-provider', { 'auth-provider': { name: 'oidc', config: { 'idp-issuer-url': 'x' } } }],
    ['auth-provider', { 'auth-provider': { name: 'azure' }, token: 't' }],
    ['tokenFile', { tokenFile: '/etc/passwd' }],
    ['token-file', { 'token-file': '/etc/passwd' }],
    ['client-certificate', { 'client-certificate': '/etc/cert', 'client-key-data': 'x' }],
    ['client-key', { 'client-key': '/etc/key', 'client-certificate-data': 'x' }],
    ['username', { username: 'admin', password: secret }],
    ['password', { password: secret }],
    ['as', { token: 't', as: 'system:admin' }],
    ['as-uid', { token: 't', 'as-uid': '0' }],
    ['as-groups', { token: 't', 'as-groups': ['system:masters'] }],
    ['as-user-extra', { token: 't', 'as-user-extra': {} }],
    ['client-certificate-data', {}],
    ['client-certificate-data', { 'client-certificate-data': '' }],
    ['token', { token: '' }],
    ['token', { token: 5 }],
    ['some-new-field', { token: 't', 'some-new-field': true }],
    ['__proto__', JSON.parse('{"token":"t","__proto__":{"exec":1}}') as Fields],
  ])('has %s is refused by that name', (field, fields) => {
    const at = refusedAt(JSON.stringify(good({}, fields)))
    expect(at).toBe(`${user}.${field}`)
  })

  test('has both a token and a certificate is refused', () => {
    const both = { token: 't', 'client-certificate-data': 'x', 'client-key-data': 'y' }
    expect(refusedAt(stringify(good({}, both)))).toBe(`${user}.token`)
  })

  test.each(['two\nlines', 'tab\there', 'x'.repeat(20_000), 'ünicode'])(
    'has a token that would break a header is refused: %j',
    (token) => expect(refusedAt(stringify(good({}, { token })))).toBe('token'),
  )
})

describe('a cluster that', () => {
  test.each<[string, Fields]>([
    ['server', { server: 'http://192.0.2.1' }],
    ['server', { server: 'https://user:pass@192.0.2.1' }],
    ['server', { server: 'https://192.0.2.1/path' }],
    ['server', { server: 'https://192.0.2.1/?x=1' }],
    ['server', { server: 'unix:///var/run/docker.sock' }],
    ['server', { server: 'not a url' }],
    ['server', { server: '' }],
    ['certificate-authority', { 'certificate-authority': '/etc/ca' }],
    ['proxy-url', { 'proxy-url': 'socks5://evil' }],
    ['insecure-skip-tls-verify', { 'insecure-skip-tls-verify': true }],
    ['insecure-skip-tls-verify', { 'insecure-skip-tls-verify': false }],
    ['tls-server-name', { 'tls-server-name': 'other' }],
    ['certificate-authority-data', { 'certificate-authority-data': undefined }],
    ['certificate-authority-data', { 'certificate-authority-data': 'bm90IHBlbQ==' }],
  ])('has a bad %s is refused by that name', (field, fields) =>
    expect(refusedAt(stringify(good(fields)))).toBe(`${cluster}.${field}`),
  )
})

describe('a file that', () => {
  const bomb = 'a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n'
  test.each<[string, string]>([
    ['is no mapping', '- 1'],
    ['is empty', ''],
    ['is no YAML', '{{{'],
    ['has aliases', bomb],
    ['is too long', `x: ${'y'.repeat(300 * 1024)}`],
  ])('%s is refused', (_, text) => expect(refusedAt(text)).toBe('kubeconfig'))

  test('names a context that is not there is refused', () =>
    expect(refusedAt(stringify(good()), 'other')).toBe('contexts'))

  test('has two users of one name is refused, since which one is meant is anybody’s guess', () => {
    const config = good()
    config['users'] = [
      { name: 'u', user: { token: 'a' } },
      { name: 'u', user: { token: 'b' } },
    ]
    expect(refusedAt(stringify(config))).toBe('users')
  })

  test('uses YAML merge keys to smuggle fields is refused', () => {
    const text = stringify(good()).replace('token: abc.def', '<<: {exec: {command: sh}}')
    expect(refusedAt(text)).toBe(`${user}.<<`)
  })

  test('breaks never shows a secret in the message', () => {
    const fields = {
      'client-certificate-data': base64(`-----BEGIN ${secret}`),
      'client-key-data': base64(`${key}${secret}`),
    }
    expect(() => parseKubeconfig(stringify(good({}, fields)))).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining(secret) as string }) as Error,
    )
    expect(parse(stringify(good()))).toBeDefined()
  })
})
