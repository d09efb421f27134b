import { availableParallelism, loadavg } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { eventually } from '@weir/testing'
import { edgeNames, platformProblem } from '../e2e/lab/kernel-platform.ts'
import { nodeNames } from '../e2e/lab/places.ts'
import { report } from './first-packet/report.ts'
import { openStage, type Stage } from './first-packet/stage.ts'
import type { Sightings } from './first-packet/sightings.ts'
import type { Bench } from './main.ts'

const tell = (line: string): void => console.error(line)

/** As many addresses as the lab has. */
const mostServices = 200
/** Made first and not counted: edges get to know their nodes by them. */
const warmUps = 2
const patience = { deadlineMs: 60_000 }

/**
 * From the creation of a Service at the API server to the first answer to a client through each kernel
 * edge, by stage; one Service after the other, before real kube-proxies.
 */
export const benchFirstPacket: Bench = async (args) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      services: { type: 'string', default: '50' },
      'per-second': { type: 'string', default: '0.5' },
      policy: { type: 'string', default: 'Cluster' },
      'kube-proxy-pause': { type: 'string' },
      output: { type: 'string', short: 'o', default: 'table' },
    },
  })
  const problem = await platformProblem()
  if (problem !== undefined) {
    console.error(`first packets can't be measured here: ${problem}`)
    process.exitCode = 2
    return
  }
  const stop = new AbortController()
  const interrupt = (): void => stop.abort()
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  const [count, pauseMs] = [Number(values.services), values['kube-proxy-pause']]
  if (!(count >= 1 && count <= mostServices)) {
    throw new Error(`--services ${values.services}; expected 1 to ${mostServices}`)
  }
  const before = (loadavg()[0] ?? 0).toFixed(1)
  let stage: Stage | undefined
  try {
    stage = await openStage({
      policy: values.policy === 'Local' ? 'Local' : 'Cluster',
      proxyPauseMs: pauseMs === undefined ? undefined : Number(pauseMs),
      signal: stop.signal,
      tell,
    })
    const run = { count, everyMs: 1000 / Number(values['per-second']), signal: stop.signal }
    const services = await runAll(stage, run)
    const load = `load average before: ${before}, after: ${(loadavg()[0] ?? 0).toFixed(1)}`
    const machine = `${availableParallelism()} processors, ${count} Services, policy ${values.policy}; ${load}`
    const seen = { machine, edges: edgeNames, nodes: nodeNames, services }
    console.log(report(seen, values.output === 'json' ? 'json' : 'table'))
  } catch (error) {
    if (!stop.signal.aborted) throw error
    process.exitCode = 130
  } finally {
    await stage?.close()
  }
}

interface Run {
  readonly count: number
  readonly everyMs: number
  readonly signal: AbortSignal
}

const runAll = async (stage: Stage, { count, everyMs, signal }: Run) => {
  const { sightings } = stage
  for (let at = 0; at < warmUps + count; at += 1) {
    const next = pause(everyMs, undefined, { signal })
    stage.make(`first-packet-${at}`)
    const through = eventually(() => isThrough(sightings, at, signal), patience)
    await Promise.all([next, through]).catch((cause: unknown) => {
      const uid = sightings.uids()[at] ?? ''
      const marks = Object.keys(sightings.of(uid)).join(', ')
      throw new Error(`Service ${at} was not answered through every edge; seen: ${marks}`, {
        cause,
      })
    })
    tell(at < warmUps ? 'warming up' : `${at + 1 - warmUps} of ${count}`)
  }
  const uids = sightings.uids().slice(warmUps)
  for (const uid of uids) await stage.readStory(uid)
  return uids.map((uid) => sightings.of(uid))
}

/** Whether the newest Service is answered through every edge. */
const isThrough = (sightings: Sightings, at: number, signal: AbortSignal): boolean => {
  // Ends the waiting.
  if (signal.aborted) return true
  const uid = sightings.uids()[at]
  if (uid === undefined) return false
  const marks = sightings.of(uid)
  return edgeNames.every((edge) => marks[`answered ${edge}`] !== undefined)
}
