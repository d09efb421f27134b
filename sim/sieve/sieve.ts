import { wordsOf, type Plan } from './plan.ts'
import { stories, type Story } from './stories.ts'
import { tellStory, type Told } from './tell.ts'

export interface SieveOptions {
  /** Only stories whose name has this in it. */
  readonly name: string | undefined
  /** One plan of so many; 1 is all of them. */
  readonly every: number
  readonly tell: (line: string) => void
}

/** Tells every story with every single fault, and compares each end with that of the story undisturbed. */
export const sieve = async ({ name, every, tell }: SieveOptions): Promise<boolean> => {
  let plans = 0
  let different = 0
  for (const story of stories.filter((each) => name === undefined || each.name.includes(name))) {
    const reference = await tellStory(story, { what: 'nothing' })
    if (reference.violation !== undefined) {
      tell(`${story.name} undisturbed: ${reference.violation.message}`)
      different += 1
      continue
    }
    const all = plansOf(story, reference.calls)
    const chosen = all.filter((_, index) => index % every === 0)
    let found = 0
    for (const plan of chosen) {
      const problem = difference(reference, await tellStory(story, plan), { story, plan })
      if (problem === undefined) continue
      found += 1
      tell(`${story.name}, ${wordsOf(plan)}: ${problem}`)
    }
    plans += chosen.length
    different += found
    tell(`${story.name.padEnd(22)}${chosen.length} of ${all.length} plans, ${found} differ`)
  }
  tell(`${plans} plans, ${different} differ`)
  return different === 0
}

const plansOf = ({ acts }: Story, calls: number): readonly Plan[] => [
  ...Array.from({ length: calls }, (_, index) => index + 1).flatMap((call): Plan[] => [
    { what: 'crash', call, when: 'before' },
    { what: 'crash', call, when: 'after' },
    { what: 'lost', call },
  ]),
  ...acts.flatMap((_, act): Plan[] => (act === 0 ? [] : [{ what: 'stale', act }])),
  ...acts.flatMap((_, act): Plan[] =>
    [0, 100, 1000].map((afterMs) => ({ what: 'wipe', act, afterMs })),
  ),
  ...acts.slice(0, -1).map((_, act): Plan => ({ what: 'hidden', act })),
]

/** How an end differs from the undisturbed one; undefined when it does not. */
const difference = (
  reference: Told,
  told: Told,
  { story, plan }: { readonly story: Story; readonly plan: Plan },
): string | undefined => {
  if (told.violation !== undefined) return `${told.violation.promise}: ${told.violation.message}`
  const state = firstDifference(reference.end.state, told.end.state)
  if (state !== undefined) return state
  // What nobody saw may have been no life of its own.
  if (plan.what === 'hidden' || story.hasty === true) return undefined
  return firstDifference(reference.end.counts, told.end.counts)
}

const firstDifference = (
  expected: readonly string[],
  found: readonly string[],
): string | undefined => {
  const missing = expected.find((line) => !found.includes(line))
  const extra = found.find((line) => !expected.includes(line))
  if (missing === undefined && extra === undefined) return undefined
  return `expected "${missing ?? 'nothing'}", found "${extra ?? 'nothing'}"`
}
