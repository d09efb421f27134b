import { parseArgs } from 'node:util'

export interface Arguments {
  /** From the first process to the last fault, in minutes; then things are left in peace. */
  readonly minutes: number
  readonly seed: number
  readonly drivers: readonly string[]
  /** Acts of users per second, on average. */
  readonly rate: number
  /** Keeps the folder with all logs when something is wrong. */
  readonly keep: boolean
  /** A crime to commit before the verdict, to see that it is found. */
  readonly plant: 'leak' | 'wrong-delete' | undefined
}

export const usage = `npm run chaos -- [options]
  --minutes N       how long, from the start to the last fault (3)
  --seed S          repeats the order of acts and faults (random)
  --drivers A,B     among edge, octavia, aws (edge,octavia,aws)
  --rate R          acts of users per second (2)
  --keep            leaves the folder with all logs behind when something is wrong
  --plant CRIME     leak or wrong-delete: commits it at a provider, and must find it
Exit codes: 0 all is well, 1 something is leaked, wrongly deleted, stuck or unintended,
2 too little happened for the run to count, or it could not be made.`

/** @throws with a sentence when an option is not as it shall be */
export const readArguments = (words: readonly string[]): Arguments => {
  const { values } = parseArgs({
    args: [...words],
    options: {
      minutes: { type: 'string', default: '3' },
      seed: { type: 'string' },
      drivers: { type: 'string', default: 'edge,octavia,aws' },
      rate: { type: 'string', default: '2' },
      keep: { type: 'boolean', default: false },
      plant: { type: 'string' },
    },
  })
  const drivers = values.drivers.split(',')
  const unknown = drivers.find((name) => !['edge', 'octavia', 'aws'].includes(name))
  if (unknown !== undefined) throw new Error(`there is no driver "${unknown}"`)
  const { plant } = values
  if (plant !== undefined && plant !== 'leak' && plant !== 'wrong-delete') {
    throw new Error(`there is no crime "${plant}"`)
  }
  return {
    minutes: positive('--minutes', values.minutes),
    seed: values.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(values.seed),
    drivers,
    rate: positive('--rate', values.rate),
    keep: values.keep,
    plant,
  }
}

const positive = (option: string, text: string): number => {
  const number = Number(text)
  if (Number.isFinite(number) && number > 0) return number
  throw new Error(`${option} ${text} is no positive number`)
}
