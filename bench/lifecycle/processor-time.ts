import { readdirSync, readFileSync } from 'node:fs'

/** Milliseconds of processor time that each part of the platform has used so far, by part. */
export type ProcessorTime = ReadonlyMap<string, number>

const msPerTick = 10 // USER_HZ is 100 on every Linux that Node runs on

/** Reads what this process's descendants have used; empty where there is no /proc. */
export const processorTime = (): ProcessorTime => {
  const used = new Map<string, number>()
  for (const { part, ms } of descendants()) used.set(part, (used.get(part) ?? 0) + ms)
  return used
}

/** What was used between two reads. */
export const usedBetween = (before: ProcessorTime, after: ProcessorTime): ProcessorTime =>
  new Map([...after].map(([part, ms]) => [part, Math.max(0, ms - (before.get(part) ?? 0))]))

interface Found {
  readonly pid: number
  readonly parent: number
  readonly ms: number
}

const descendants = (): readonly { readonly part: string; readonly ms: number }[] => {
  const found = new Map(processes().map((each) => [each.pid, each]))
  const isOurs = ({ pid, parent }: Found): boolean => {
    if (pid === process.pid || parent === process.pid) return true
    const above = found.get(parent)
    return above !== undefined && isOurs(above)
  }
  return [...found.values()].filter(isOurs).map((each) => ({ part: partOf(each.pid), ms: each.ms }))
}

const processes = (): readonly Found[] => {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => statOf(Number(name)))
  } catch {
    return []
  }
}

/** proc_pid_stat(5): after the name in parentheses, field 2 is the parent, 12 and 13 the ticks used. */
const statOf = (pid: number): readonly Found[] => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const ticks = Number(fields[11]) + Number(fields[12])
    return [{ pid, parent: Number(fields[1]), ms: ticks * msPerTick }]
  } catch {
    return [] // it has just ended
  }
}

const partOf = (pid: number): string => {
  if (pid === process.pid) return 'bench'
  const line = readCommandLine(pid)
  const service = /services\/([a-z]+)\/main\.ts/.exec(line)?.[1]
  if (service !== undefined) return service
  if (line.includes('minicluster/main.ts')) return 'minicluster'
  if (line.includes('bare-client.ts')) return 'bare client'
  return (
    /(postgres|nats-server|etcd|kube-apiserver|kube-controller-manager)\b/.exec(line)?.[1] ??
    'other'
  )
}

const readCommandLine = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, 4).join(' ')
  } catch {
    return ''
  }
}
