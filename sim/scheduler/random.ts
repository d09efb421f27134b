/** A stream of chance that is the same for the same name, on every machine. */
export interface Random {
  /** In [0, 1). */
  next(): number
  /** A whole number in [0, below). */
  int(below: number): number
  chance(probability: number): boolean
  /** One of a list that is not empty. */
  pick<T>(items: readonly T[]): T
  /** Another stream, that this one's use does not disturb. */
  fork(name: string): Random
  uuid(): string
}

export const createRandom = (name: string): Random => {
  const next = sfc32(name)
  const int = (below: number): number => Math.floor(next() * below)
  const random: Random = {
    next,
    int,
    chance: (probability) => probability > 0 && next() < probability,
    pick: (items) => {
      const picked = items[int(items.length)]
      if (picked === undefined) throw new Error('picked from nothing')
      return picked
    },
    fork: (child) => createRandom(`${name}/${child}`),
    uuid: () => {
      const hex = Array.from({ length: 4 }, () => hex8(next)).join('')
      const parts = [8, 4, 4, 4, 12].map((length, index, all) => {
        const from = all.slice(0, index).reduce((sum, each) => sum + each, 0)
        return hex.slice(from, from + length)
      })
      const [a = '', b = '', c = '', d = '', e = ''] = parts
      return `${a}-${b}-4${c.slice(1)}-8${d.slice(1)}-${e}`
    },
  }
  return random
}

const hex8 = (next: () => number): string =>
  Math.floor(next() * 2 ** 32)
    .toString(16)
    .padStart(8, '0')

/** Chris Doty-Humphrey's small fast counter, seeded by four hashes of the name. */
const sfc32 = (name: string): (() => number) => {
  let [a, b, c, d] = [1, 2, 3, 4].map((salt) => hash32(`${salt}:${name}`)) as [
    number,
    number,
    number,
    number,
  ]
  const next = (): number => {
    const sum = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  for (let warm = 0; warm < 12; warm += 1) next()
  return next
}

/** FNV-1a with a final mix, so that names that differ in one letter have nothing in common. */
export const hash32 = (text: string, from = 0x811c9dc5): number => {
  let hash = from
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
