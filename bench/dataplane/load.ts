import { readFileSync } from 'node:fs'
import { runProgram } from '../../services/edge/data-plane/kernel/run-program.ts'
import type { Lab } from '../../services/edge/rig/lab.ts'
import { ways, type Cell, type Figure, type Load, type Way } from './cells.ts'
import { abNumbersOf, gigabitsOf, resentOf, ticksOf, wrkNumbersOf } from './outputs.ts'

/** Where one way leads to, as the client dials it. */
export interface Place {
  readonly host: string
  /** The pod's iperf3. */
  readonly bulk: number
  /** The pod's web server. */
  readonly web: number
}

/**
 * New connections come from so many addresses: from one, ports come round before the entries of their
 * forerunners have ended. Each way has addresses of its own: a pod still knows the ports of a
 * connection that ended, and takes one that came another way for its echo, since its clock differs.
 */
const addressesPerWay = 16
const firstAddress = 64
export const addressesOf = (way: Way): readonly string[] =>
  Array.from(
    { length: addressesPerWay },
    (_, at) => `198.51.100.${firstAddress + ways.indexOf(way) * addressesPerWay + at}`,
  )

const keptConnections = 32

type Done = Pick<Cell, 'numbers' | 'failed'>

/** Puts a load on a way for `seconds`, from the client, by programs that are made for it. */
const run = async ({ lab, way, load, place, seconds }: Measuring): Promise<Done> => {
  const web = `http://${place.host}:${place.web}/`
  const patience = `${seconds * 4 + 20}`
  const client = (...argv: readonly string[]): Promise<string> =>
    lab.on('client')(['timeout', patience, ...argv])
  const bulk = async (figure: Figure, ...more: readonly string[]): Promise<Done> => {
    const target = ['-c', place.host, '-p', `${place.bulk}`]
    const said = await client('iperf3', ...target, '-t', `${seconds}`, '-J', ...more)
    return { numbers: { [figure]: gigabitsOf(said) }, failed: 0 }
  }
  const wrk = async (connections: number) =>
    wrkNumbersOf(await client('wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--latency', web))
  switch (load) {
    case 'upload':
      return bulk('upload')
    case 'download':
      return bulk('download', '-R')
    case 'round trips': {
      const { p50, p99, failed } = await wrk(1)
      return { numbers: { p50, p99 }, failed }
    }
    case 'requests': {
      const { perSecond, failed } = await wrk(keptConnections)
      return { numbers: { requests: perSecond }, failed }
    }
    case 'connections': {
      const limits = ['-c', '2', '-t', `${seconds}`, '-n', '1000000', '-s', '10']
      const said = await Promise.all(
        addressesOf(way).map((from) => client('ab', '-q', '-r', ...limits, '-B', from, web)),
      )
      const all = said.map(abNumbersOf)
      const sum = (of: (each: (typeof all)[number]) => number): number =>
        all.reduce((total, each) => total + of(each), 0)
      return {
        numbers: { connections: sum(({ perSecond }) => perSecond) },
        failed: sum(({ failed }) => failed),
      }
    }
  }
}

export interface Measuring {
  readonly lab: Lab
  readonly way: Way
  readonly place: Place
  readonly load: Load
  readonly seconds: number
  /** The network namespaces whose TCP sends something again when it is lost. */
  readonly spaces: readonly string[]
}

/** One load on one way, with what it cost. */
export const measure = async (measuring: Measuring): Promise<Omit<Cell, 'round'>> => {
  const { way, load } = measuring
  const [resent, ticks] = [await resentIn(measuring), ticksOf(readFileSync('/proc/stat', 'utf8'))]
  const done = await run(measuring)
  const now = ticksOf(readFileSync('/proc/stat', 'utf8'))
  const all = now.all - ticks.all
  const after = await resentIn(measuring)
  return {
    way,
    load,
    ...done,
    resent: { segments: after.segments - resent.segments, syns: after.syns - resent.syns },
    processors: {
      programs: (now.programs - ticks.programs) / all,
      idle: (now.idle - ticks.idle) / all,
    },
  }
}

const resentIn = async ({ spaces }: Measuring): Promise<Cell['resent']> => {
  const files = ['/proc/net/snmp', '/proc/net/netstat']
  const all = await Promise.all(
    spaces.map(async (space) =>
      resentOf(await runProgram(['ip', 'netns', 'exec', space, 'cat', ...files])),
    ),
  )
  return {
    segments: all.reduce((sum, { segments }) => sum + segments, 0),
    syns: all.reduce((sum, { syns }) => sum + syns, 0),
  }
}
