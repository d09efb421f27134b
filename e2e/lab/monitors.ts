import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { systemClock } from '@weir/kernel'
import { eventually } from '@weir/testing'
import type { Lab } from '../../services/edge/rig/lab.ts'
import { edgeNames, type EdgeName } from './places.ts'

interface Monitor {
  readonly host: 'router' | EdgeName
  /** Prints a line for each change, such as `nft monitor`. */
  readonly program: readonly string[]
  /** Makes a change and undoes it. */
  readonly change: (verb: 'add' | 'delete') => readonly string[]
  readonly onLine: (line: string) => void
}

const restMs = 3_000

/** Resolves when all changes from now on are told of. It ends with the lab. */
const follow = async (lab: Lab, { host, program, change, onLine }: Monitor): Promise<void> => {
  const heard = Promise.withResolvers<true>()
  let isOpen = false
  const argv = ['netns', 'exec', lab.spaceOf(host), 'stdbuf', '-oL', ...program]
  const child = spawn('ip', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  lab.endsWith(child)
  createInterface({ input: child.stdout }).on('line', (line) => {
    heard.resolve(true)
    if (isOpen) onLine(line)
  })
  // It says nothing until something happens: so something does. It reads all there is first, and begins anew with each
  // change meanwhile: so not too often.
  const changeSomething = async (): Promise<boolean> => {
    await lab.on(host)(change('add'))
    await lab.on(host)(change('delete'))
    return Promise.race([heard.promise, systemClock.sleep(restMs).then(() => false)])
  }
  await eventually(changeSomething, { deadlineMs: 60_000 })
  isOpen = true
}

/** `nft monitor` tells what programs do, and nothing of elements that packets add. */
const followRules = (lab: Lab, edge: EdgeName, onLine: Monitor['onLine']): Promise<void> =>
  follow(lab, {
    host: edge,
    program: ['nft', 'monitor'],
    change: (verb) => ['nft', verb, 'table', 'ip', 'seen'],
    onLine,
  })

export interface RuleChanges {
  /** What was added or deleted until now, in nft's words. */
  all(): readonly string[]
}

/** Counts what programs change in the edges' tables from now on; packets change none of that. */
export const watchRules = async (lab: Lab): Promise<RuleChanges> => {
  const seen: string[] = []
  for (const edge of edgeNames) {
    await followRules(lab, edge, (line) => {
      // An agent tries nft on a table beside its own at each start.
      if (/^(add|delete) \w+ netdev weir( |$)/.test(line)) seen.push(`${edge}: ${line}`)
    })
  }
  return { all: () => seen }
}

/**
 * What becomes of an address from now on, in order: `router` for each change of the router's routes to it, `e1` and
 * `e2` when an edge closes a frontend of it.
 */
export const watchAddress = async (
  lab: Lab,
  address: string,
): Promise<{ all(): readonly ('router' | EdgeName)[] }> => {
  const seen: ('router' | EdgeName)[] = []
  await follow(lab, {
    host: 'router',
    program: ['ip', '-o', 'monitor', 'route'],
    change: (verb) => ['ip', 'route', verb, 'blackhole', '192.0.2.255'],
    onLine: (line) => void (line.includes(`${address} `) && seen.push('router')),
  })
  for (const edge of edgeNames) {
    await followRules(lab, edge, (line) => {
      if (line.startsWith('delete element') && line.includes(`${address} .`)) seen.push(edge)
    })
  }
  return { all: () => seen }
}
