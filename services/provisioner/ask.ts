import { carryOut, type Driver, type Outcome } from '@weir/drivers'
import { assertNever } from '@weir/kernel'
import type { Step } from './domain/step.ts'
import type { Reach } from './fault-points.ts'
import type { Progress } from './knowledge.ts'

export type Asking = Extract<Step, { step: 'poll' | 'apply' | 'remove' | 'observe' }>

export const isAsking = (step: Step): step is Asking =>
  step.step === 'poll' || step.step === 'apply' || step.step === 'remove' || step.step === 'observe'

/** The story has moved on since the order was decided: it is not carried out any further. */
export class StoryMoved extends Error {}

export interface AskPorts {
  readonly reach: Reach
  /** Whether the story still stands as it was when the order was decided. */
  readonly stands: () => Promise<boolean>
}

/**
 * One order to the provider, one read of it or one question, and what that taught.
 * @throws StoryMoved between two calls of an order that is out of date
 */
export const ask = async (
  driver: Driver,
  step: Asking,
  progress: Progress,
  ports: AskPorts,
): Promise<Progress> => {
  const how = { progress, ports }
  switch (step.step) {
    case 'poll':
      return { ...progress, polled: await driver.poll(step.token) }
    case 'apply':
      return order(driver, { order: 'serve', desired: step.desired }, { ...how, told: step.told })
    case 'remove':
      return order(driver, { order: 'remove', marks: step.marks }, { ...how, told: [] })
    case 'observe':
      return { ...progress, sight: await driver.observe(step.marks) }
    default:
      return assertNever(step)
  }
}

interface How {
  readonly progress: Progress
  readonly ports: AskPorts
  /** What the story says is discarded. */
  readonly told: readonly string[]
}

const order = async (
  driver: Driver,
  given: Parameters<typeof carryOut>[1],
  { progress, ports, told }: How,
): Promise<Progress> => {
  let what: string | undefined
  const watched: Pick<Driver, 'observe' | 'plan' | 'execute'> = {
    observe: (marks) => driver.observe(marks),
    plan: (wanted, seen) => driver.plan(wanted, seen),
    execute: async (step, begun): Promise<Outcome> => {
      if (!(await ports.stands())) throw new StoryMoved()
      what = step.title
      ports.reach('provisioner.before-execute')
      const outcome = await driver.execute(step, begun)
      ports.reach('provisioner.after-execute')
      return outcome
    },
  }
  const { outcome, seen } = await carryOut(watched, given, (ref) => told.includes(ref))
  const answer = outcome.status === 'pending' && what !== undefined ? { ...outcome, what } : outcome
  return { ...progress, answer, asked: true, acted: what !== undefined, sight: seen }
}
