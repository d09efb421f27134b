import { parseArgs } from 'node:util'
import { explore } from './explore.ts'
import { findPlanted } from './planted/planted.ts'
import { commitNow, replay } from './replay.ts'
import { sieve } from './sieve/sieve.ts'

const usage = `npm run sim -- [--seconds 60 | --hours N]   as many seeds as fit
               --seed N [--commit C]        one seed, told step by step
                 [--grep REGEX] [--strict]  all steps that match; open findings too
               --from N                     where seeds begin; by the clock when absent
               --schedules N                this many seeds
               --planted [--name NAME]      every planted bug, until it is found
               --sieve [--name N] [--every N] every crash and loss of short stories, one by one`

const tell = (line: string): void => console.log(line)

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string' },
      hours: { type: 'string' },
      seed: { type: 'string' },
      commit: { type: 'string' },
      grep: { type: 'string' },
      strict: { type: 'boolean' },
      from: { type: 'string' },
      schedules: { type: 'string' },
      planted: { type: 'boolean' },
      sieve: { type: 'boolean' },
      every: { type: 'string' },
      name: { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) {
    tell(usage)
    return 0
  }
  if (values.sieve === true) {
    return (await sieve({ name: values.name, every: Number(values.every ?? 1), tell })) ? 0 : 1
  }
  if (values.planted === true) return (await findPlanted(values.name, tell)) ? 0 : 1
  if (values.seed !== undefined) {
    const now = commitNow()
    if (values.commit !== undefined && values.commit !== now) {
      tell(`this is commit ${now}; the seed failed at ${values.commit}, and may not here`)
    }
    const grep = values.grep === undefined ? undefined : new RegExp(values.grep)
    const strict = values.strict ?? false
    const { violation } = await replay({ seed: values.seed, strict }, tell, grep)
    return violation === undefined ? 0 : 1
  }
  const seconds =
    values.hours === undefined ? Number(values.seconds ?? 60) : 3600 * Number(values.hours)
  const from = Number(values.from ?? Math.floor(Date.now() / 1000) * 1000)
  const schedules = Number(values.schedules ?? Infinity)
  return (await explore({ seconds, from, schedules, tell })) ? 0 : 1
}

process.exitCode = await main()
