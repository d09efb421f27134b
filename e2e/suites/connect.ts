// Kubeconfigs that could run, read or redirect something are refused by the name of their field.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import type { Shared } from '../harness/walk.ts'

interface Kubeconfig {
  clusters: { cluster: Record<string, unknown> }[]
  users: { user: Record<string, unknown> }[]
}

const slips: readonly (readonly [string, (config: Kubeconfig) => void])[] = [
  ['users[0].user.exec', ({ users }) => (users[0]!.user['exec'] = { command: '/bin/sh' })],
  [
    'users[0].user.auth-provider',
    ({ users }) => (users[0]!.user['auth-provider'] = { name: 'gcp' }),
  ],
  ['users[0].user.tokenFile', ({ users }) => (users[0]!.user['tokenFile'] = '/etc/passwd')],
  ['users[0].user.client-key', ({ users }) => (users[0]!.user['client-key'] = '/etc/passwd')],
  [
    'clusters[0].cluster.proxy-url',
    ({ clusters }) => (clusters[0]!.cluster['proxy-url'] = 'http://127.0.0.1:1'),
  ],
  [
    'clusters[0].cluster.insecure-skip-tls-verify',
    ({ clusters }) => (clusters[0]!.cluster['insecure-skip-tls-verify'] = true),
  ],
  [
    'clusters[0].cluster.certificate-authority',
    ({ clusters }) => (clusters[0]!.cluster['certificate-authority'] = '/etc/passwd'),
  ],
]

export const kubeconfigs = (shared: Shared): void => {
  test.each(slips)('weir cluster connect refuses %s by name', async (field, spoil) => {
    const { folder, kubeconfig, weir } = shared()
    const config = parse(readFileSync(kubeconfig, 'utf8')) as Kubeconfig
    spoil(config)
    const file = join(folder, 'refused.kubeconfig')
    writeFileSync(file, JSON.stringify(config))
    const { code, stderr, stdout } = await weir(`cluster connect --kubeconfig ${file}`)
    expect(code).not.toBe(0)
    expect(stderr).toContain(`${field} is refused`)
    expect(stderr + stdout).not.toMatch(/ at .*\.ts:\d+/)
  })

  test('weir cluster connect without a kubeconfig prints the rights that weir needs', async () => {
    const { weir, kubectl } = shared()
    const { code, stdout } = await weir('cluster connect')
    expect(code).toBe(0)
    expect(await kubectl('apply --dry-run=server -f -', stdout)).toContain('clusterrole')
  })
}
