/** A bounded set of numbers or addresses of which each is held by one Service at most. */
export interface Pool<T> {
  take(value: T): void
  release(value: T): void
  /** Why a value cannot be had, in upstream's words; undefined when it can. */
  refusal(value: T): string | undefined
  /** A free value, outside `except` too; undefined when all are held. */
  choose(except: ReadonlySet<T>): T | undefined
}

/** 30000-32767. The lowest 86 are left to those who ask for one, as upstream does. */
export const nodePortPool = (random: () => number): Pool<number> => {
  const held = new Set<number>()
  const free = (port: number, except: ReadonlySet<number>) => !held.has(port) && !except.has(port)
  const search = (from: number, to: number, except: ReadonlySet<number>): number | undefined => {
    const size = to - from + 1
    const start = Math.floor(random() * size)
    for (let step = 0; step < size; step += 1) {
      const port = from + ((start + step) % size)
      if (free(port, except)) return port
    }
    return undefined
  }
  return {
    take: (port) => void held.add(port),
    release: (port) => void held.delete(port),
    refusal: (port) => {
      if (port < firstPort || port > lastPort)
        return (
          'provided port is not in the valid range. The range of valid ports is ' +
          `${firstPort}-${lastPort}`
        )
      return held.has(port) ? 'provided port is already allocated' : undefined
    },
    choose: (except) =>
      search(firstPort + reservedPorts, lastPort, except) ??
      search(firstPort, firstPort + reservedPorts - 1, except),
  }
}

const firstPort = 30_000
const lastPort = 32_767
const reservedPorts = 86

/** 10.96.0.0/16 without its first and last address. */
export const addressPool = (random: () => number): Pool<string> => {
  const held = new Set<string>()
  return {
    take: (address) => void held.add(address),
    release: (address) => void held.delete(address),
    refusal: (address) => {
      if (offsetOf(address) === undefined)
        return 'the provided network does not match the current range'
      return held.has(address) ? 'provided IP is already allocated' : undefined
    },
    choose: (except) => {
      const start = Math.floor(random() * addresses)
      for (let step = 0; step < addresses; step += 1) {
        const address = addressAt(1 + ((start + step) % addresses))
        if (!held.has(address) && !except.has(address)) return address
      }
      return undefined
    },
  }
}

const addresses = 65_534

const addressAt = (offset: number): string => `10.96.${offset >> 8}.${offset & 255}`

const offsetOf = (address: string): number | undefined => {
  const match = /^10\.96\.(\d{1,3})\.(\d{1,3})$/.exec(address)
  if (match === null) return undefined
  const offset = Number(match[1]) * 256 + Number(match[2])
  return offset >= 1 && offset <= addresses ? offset : undefined
}
