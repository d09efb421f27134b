// Crimes behind weir's back, to see that the verdict finds them: a run with one must fail.
import { randomUUID } from 'node:crypto'
import { systemClock } from '@weir/kernel'
import { judge, type Verdict } from './judge.ts'
import type { Provider } from './providers/provider.ts'
import { installation } from './stage.ts'
import type { Truth } from './truth.ts'

/** Long enough for gc to have removed what was planted, if it did such a thing. */
const graceMs = 20_000

/** Commits a crime at the first provider with an account, and gives the verdict after it. */
export const commit = async (
  crime: 'leak' | 'wrong-delete',
  { providers, truth }: { readonly providers: readonly Provider[]; readonly truth: Truth },
  say: (line: string) => void,
): Promise<Verdict> => {
  const provider = providers.find(({ account }) => account !== null)
  if (provider === undefined) throw new Error('a crime needs a driver with an account')
  if (crime === 'leak') {
    const service = randomUUID()
    const key = `${provider.name}-${service}`
    const ref = await provider.plant({ installation, service, key, epoch: 1 })
    say(`planted at ${provider.name}: ${ref}`)
    await systemClock.sleep(graceMs)
  } else {
    const things = await provider.things()
    const victim = things.find(({ owner, whole }) => whole && owner?.installation === installation)
    if (victim === undefined) throw new Error(`${provider.name} has nothing to delete`)
    await provider.tear(victim)
    say(`deleted at ${provider.name}: ${victim.ref}`)
  }
  return judge(await truth.gather())
}
