import { join } from 'node:path'
import { systemClock } from '@weir/kernel'
import { createClient } from '../client.ts'
import { lifeOf, type Step } from '../demo/steps.ts'
import { openWorld } from '../demo/world.ts'
import { CommandFailed } from '../exit.ts'
import { answer, bad, ok, tell, type Format } from '../output.ts'
import { findPlatform, openSession, type PlatformFile, type SessionFlags } from '../session.ts'

interface Outcome {
  readonly step: string
  readonly ok: boolean
  readonly ms: number
  readonly seen: string
}

/**
 * Walks through one Service's whole life and checks each step from outside. Uses the platform that runs
 * here, or starts one for the time of the walk. Fails at the first step that was not observed.
 */
export const demo = async (flags: SessionFlags & { readonly output: Format }): Promise<void> => {
  const running = findPlatform()
  if (running) return walk(running, flags)
  tell('no platform runs here; starting one for the demo')
  const { startPlatform } = await import('../up/up.ts')
  const platform = await startPlatform({ state: '.weir' }, new AbortController().signal)
  try {
    const started = findPlatform()
    if (!started)
      throw new CommandFailed('failed', `no platform file in ${join(platform.folder, 'weir.json')}`)
    await walk(started, flags)
  } finally {
    await platform.stop()
  }
}

const walk = async (
  { kubeconfig }: PlatformFile,
  flags: SessionFlags & { readonly output: Format },
): Promise<void> => {
  const world = openWorld(kubeconfig)
  const outcomes: Outcome[] = []
  try {
    for (const step of lifeOf(world, createClient(openSession(flags)))) {
      const outcome = await take(step)
      outcomes.push(outcome)
      const line = `${outcome.step}  (${outcome.ms} ms)\n    ${outcome.seen}`
      if (outcome.ok) ok(line)
      else bad(line)
      if (!outcome.ok) break
    }
  } finally {
    await world.close()
  }
  answer(flags.output, outcomes, () => undefined) // people were told step by step
  const failed = outcomes.filter((outcome) => !outcome.ok)
  if (failed.length > 0)
    throw new CommandFailed('failed', 'the demo stopped at a step that was not observed')
  ok(`${outcomes.length} steps, each observed from outside`)
}

const take = async (step: Step): Promise<Outcome> => {
  const began = systemClock.now()
  const elapsed = (): number => systemClock.now() - began
  try {
    const seen = await step.run()
    return { step: step.title, ok: true, ms: elapsed(), seen }
  } catch (error) {
    const seen = error instanceof Error ? error.message : String(error)
    return { step: step.title, ok: false, ms: elapsed(), seen }
  }
}
