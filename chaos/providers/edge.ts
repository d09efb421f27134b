// Our own edge as an outsider sees it: the file of its last good state, and the sockets that listen on the
// addresses of the pool.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Change, type Owner, type Provider, type Thing } from './provider.ts'

interface Line {
  readonly order: 'serve' | 'remove'
  readonly desired?: { readonly marks: Owner; readonly frontends: readonly Frontend[] }
  readonly marks?: Owner
}
interface Frontend {
  readonly ip: string
  readonly port: number
  readonly protocol: string
}

/**
 * @param state the folder that the agent keeps its state in.
 * @param addresses what every address of the pool begins with, such as `127.148.`.
 */
export const watchEdge = (state: string, addresses: string): Provider => {
  const changes: Change[] = []
  const seen = new Set<string>()

  const look = (): void => {
    for (const line of readLines(join(state, 'orders.jsonl'))) {
      const marks = line.desired?.marks ?? line.marks
      if (marks === undefined) continue
      const effect = line.order === 'serve' ? 'create' : 'delete'
      const ref = `${marks.key}/${marks.epoch}`
      if (seen.has(`${effect} ${ref}`)) continue
      seen.add(`${effect} ${ref}`)
      // When the edge obeyed is not told; that we see it is never earlier.
      changes.push({ at: Date.now(), effect, kind: 'frontends', ref, owner: marks, whole: true })
    }
  }
  return {
    name: 'edge',
    account: null,
    look: async () => look(),
    things: async () => {
      const held = new Map<string, Line>()
      for (const line of readLines(join(state, 'orders.jsonl'))) {
        const marks = line.desired?.marks ?? line.marks
        if (marks !== undefined) held.set(marks.key, line)
      }
      return thingsOf([...held.values()], listening(addresses))
    },
    changes: async () => {
      look()
      return changes
    },
    faults: {},
    plant: () => Promise.reject(new Error('nothing can be planted at an edge')),
    tear: () => Promise.reject(new Error('nothing can be torn down at an edge')),
    stop: async () => undefined,
  }
}

/** What is served, with the ports that really listen; a listener that nobody ordered is a thing too. */
const thingsOf = (lines: readonly Line[], sockets: ReadonlySet<string>): Thing[] => {
  const strays = new Set(sockets)
  const served = lines.flatMap(({ order, desired }): Thing[] => {
    if (order !== 'serve' || desired === undefined) return []
    const { marks, frontends } = desired
    const open = frontends.filter(({ ip, port }) => sockets.has(`${ip}:${port}`))
    for (const { ip, port } of frontends) strays.delete(`${ip}:${port}`)
    const ref = `${marks.key}/${marks.epoch}`
    return [{ kind: 'frontends', ref, owner: marks, whole: true, ports: open.map((at) => at.port) }]
  })
  const ours = { installation: 'chaos', service: 'nobody', key: 'nobody', epoch: 0 }
  const stray = [...strays].map((ref) => ({ kind: 'listener', ref, owner: ours, whole: false }))
  return [...served, ...stray]
}

const readLines = (path: string): Line[] => {
  let text = ''
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return [] // Nothing was ever ordered.
  }
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as Line]
    } catch {
      return [] // A line torn by a crash, or the empty one at the end.
    }
  })
}

/** `IP:PORT` of every TCP socket that listens on an address with this beginning, as the kernel says. */
const listening = (beginning: string): Set<string> => {
  const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)
  const found = rows.flatMap((row) => {
    const [, local = '', , state] = row.trim().split(/\s+/)
    const [address = '', port = ''] = local.split(':')
    if (state !== '0A') return []
    const bytes = address.match(/../g)?.toReversed() ?? []
    return [
      `${bytes.map((byte) => Number.parseInt(byte, 16)).join('.')}:${Number.parseInt(port, 16)}`,
    ]
  })
  return new Set(found.filter((each) => each.startsWith(beginning)))
}
