import { z } from 'zod'

const iperf = z.object({
  end: z.object({ sum_received: z.object({ bits_per_second: z.number() }) }),
})

/** Gigabits per second that arrived, from `iperf3 -J`. */
export const gigabitsOf = (json: string): number =>
  iperf.parse(JSON.parse(json)).end.sum_received.bits_per_second / 1e9

/** What `wrk --latency` says: microseconds, requests per second, and errors of sockets or answers. */
export interface WrkNumbers {
  readonly p50: number
  readonly p99: number
  readonly perSecond: number
  readonly failed: number
}

export const wrkNumbersOf = (text: string): WrkNumbers => {
  const quantileOf = (percent: number): number => {
    const [, value = '', unit = ''] = found(
      text,
      new RegExp(`^ +${percent}% +([\\d.]+)(us|ms|s)$`, 'm'),
    )
    return Number(value) * (microseconds[unit] ?? Number.NaN)
  }
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)
  const answers = /Non-2xx or 3xx responses: (\d+)/.exec(text)
  const errors = [...(sockets ?? []).slice(1), ...(answers ?? []).slice(1)].map(Number)
  return {
    p50: quantileOf(50),
    p99: quantileOf(99),
    perSecond: Number(found(text, /^Requests\/sec: +([\d.]+)$/m)[1]),
    failed: errors.reduce((sum, each) => sum + each, 0),
  }
}
const microseconds: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6 }

/** What one `ab` says that makes a new connection for each request. */
export interface AbNumbers {
  readonly perSecond: number
  readonly failed: number
}

export const abNumbersOf = (text: string): AbNumbers => ({
  perSecond: Number(found(text, /^Requests per second: +([\d.]+)/m)[1]),
  failed: Number(found(text, /^Failed requests: +(\d+)$/m)[1]),
})

/** Totals of a network namespace since it began, from its `/proc/net/snmp` and `/proc/net/netstat`. */
export const resentOf = (proc: string): { readonly segments: number; readonly syns: number } => ({
  segments: counterOf(proc, 'Tcp:', 'RetransSegs'),
  syns: counterOf(proc, 'TcpExt:', 'TCPSynRetrans'),
})

/** Each table is a line of names and a line of values, both of which begin with its name. */
const counterOf = (proc: string, tableName: string, name: string): number => {
  const [names = [], values = []] = proc
    .split('\n')
    .filter((line) => line.startsWith(`${tableName} `))
    .map((line) => line.split(' '))
  const at = names.indexOf(name)
  if (at === -1) throw new Error(`the kernel tells no ${name}`)
  return Number(values[at])
}

/** Ticks of all processors since the machine began, from `/proc/stat`. */
export interface Ticks {
  /** In programs, not in the kernel on their behalf. */
  readonly programs: number
  readonly idle: number
  readonly all: number
}

/** proc_stat(5): user nice system idle iowait irq softirq steal. */
export const ticksOf = (stat: string): Ticks => {
  const [, text = ''] = found(stat, /^cpu +([\d ]+)$/m)
  const ticks = text.split(' ').slice(0, 8).map(Number)
  const [user = 0, nice = 0, , idle = 0, waiting = 0] = ticks
  const all = ticks.reduce((sum, each) => sum + each, 0)
  return { programs: user + nice, idle: idle + waiting, all }
}

const found = (text: string, pattern: RegExp): RegExpExecArray => {
  const match = pattern.exec(text)
  if (match === null) throw new Error(`expected ${pattern} in: ${text.slice(0, 500)}`)
  return match
}
