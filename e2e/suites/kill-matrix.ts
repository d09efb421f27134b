// Every process is killed while Services are in every step of their life. What follows must not depend on it.
import { seeded } from '@weir/testing'
import { afterAll, describe, expect } from 'vitest'
import { holds } from '../harness/holds.ts'
import { expectWholeLife } from '../harness/chapters.ts'
import { parts, type Parts, type Part } from '../harness/parts.ts'
import type { Place } from '../harness/place.ts'
import { askHttp, factIn, isSilent, startTraffic, type Door } from '../harness/probes.ts'
import type { Walk } from '../harness/walk.ts'

const steps = ['create', 'ready', 'edit', 'flip', 'delete'] as const
type Step = (typeof steps)[number]

/** How long each step took from the blow to its right end, in milliseconds. */
type Row = Readonly<Record<Step, number>>

interface Blow {
  readonly name: string
  /** The part that dies, or the bus with all it holds. */
  readonly strike: (at: Parts) => Promise<void>
  /** Traffic may fail while the edge itself is dead. */
  readonly cutsTraffic: boolean
}

const blows: readonly Blow[] = [
  ...parts.map((part: Part) => ({
    name: part,
    strike: (at: Parts) => at.kill(part),
    cutsTraffic: part === 'edge',
  })),
  { name: 'bus lost', strike: (at: Parts) => at.wipeBus(), cutsTraffic: false },
]

const patience = { deadlineMs: 60_000 }
const client = '127.0.0.7'
const newPort = 9000

/** What each step does to its Service, and what must be true of it in the end. */
const stepsIn = (place: Place, doors: ReadonlyMap<Step, Door>) => {
  const doorOf = (step: Step): Door => doors.get(step) ?? { address: '', port: 0 }
  const keeps = async (step: Step): Promise<void> =>
    expect(await place.address(step)).toBe(doorOf(step).address)
  const does: Readonly<Record<Step, () => Promise<void>>> = {
    create: () => place.expose('create', 'example'),
    ready: async () => undefined,
    edit: () => place.patch('edit', { spec: { ports: [{ port: newPort, targetPort: 9376 }] } }),
    flip: () => place.patch('flip', { spec: { externalTrafficPolicy: 'Local' } }),
    delete: () => place.remove('delete'),
  }
  const ends: Readonly<Record<Step, () => Promise<void>>> = {
    create: async () => {
      await askHttp({ address: await place.address('create'), port: 8765 })
      await expectRecorded(place, 'create')
    },
    ready: async () => {
      await askHttp(doorOf('ready'))
      await keeps('ready')
    },
    edit: async () => {
      await askHttp({ ...doorOf('edit'), port: newPort })
      expect(await isSilent(doorOf('edit')), 'the old port answers').toBe(true)
      await keeps('edit')
    },
    flip: async () => {
      const answer = await askHttp({ ...doorOf('flip'), from: client })
      expect(factIn(answer, 'client')).toBe(client)
      await keeps('flip')
    },
    delete: async () => {
      expect(await place.service('delete'), 'the Service is still there').toBeUndefined()
      expect(await isSilent(doorOf('delete')), 'the address answers').toBe(true)
    },
  }
  return { does, ends }
}

/** The log knows that the address is shown, which it learns just after it is. */
const expectRecorded = async (place: Place, name: Step): Promise<void> => {
  const types = (await place.story(name)).map(({ type }) => type)
  expect(types).toContain('StatusPublished')
}

/** Nothing is left, and the log tells all of it. */
const expectCleanEnd = async (place: Place): Promise<void> => {
  const rest = steps.filter((step) => step !== 'delete')
  await Promise.all(rest.map((name) => place.remove(name)))
  await Promise.all(rest.map((name) => place.gone(name)))
  for (const name of steps) expectWholeLife(await place.released(name))
  await holds(async () => {
    const { body } = await place.platform.ask('GET', '/v1/gc/report')
    expect(body).toMatchObject({ findings: [] })
  }, patience)
}

const liveThrough = async (place: Place, blow: Blow, waitMs: number): Promise<Row> => {
  await place.deploy('example', 2)
  const old = steps.filter((step) => step !== 'create')
  await Promise.all(old.map((name) => place.expose(name, 'example')))
  const doors = new Map<Step, Door>()
  await Promise.all(old.map(async (name) => doors.set(name, await place.served(name))))
  for (const name of old) await holds(() => expectRecorded(place, name), patience)
  const { does, ends } = stepsIn(place, doors)
  const traffic = startTraffic(doors.get('ready') ?? { address: '', port: 0 })

  const doing = steps.map((step) => does[step]())
  await new Promise((struck) => setTimeout(struck, waitMs))
  const began = Date.now()
  const striking = blow.strike(place.platform.parts)
  await Promise.all(doing)
  const times = await Promise.all(
    steps.map(async (step) => {
      await holds(ends[step], patience)
      return [step, Date.now() - began] as const
    }),
  )
  await striking
  const { answered, failed } = await traffic.stop()
  expect(answered).toBeGreaterThan(0)
  if (!blow.cutsTraffic) expect(failed).toEqual([])
  await expectCleanEnd(place)
  return Object.fromEntries(times) as Row
}

export const killMatrix = (walk: Walk): void => {
  describe('the kill matrix', () => {
    const rows = new Map<string, Row>()
    for (const blow of blows) {
      walk(`${blow.name} is killed in the middle of every step of a life`, async (place) => {
        // A step takes some tens of milliseconds: the blow falls somewhere inside.
        const waitMs = seeded().below(40)
        rows.set(blow.name, await liveThrough(place, blow, waitMs))
      })
    }
    afterAll(() => process.stdout.write(`${tableOf(rows)}\n`))
  })
}

const tableOf = (rows: ReadonlyMap<string, Row>): string => {
  const line = (cells: readonly string[]): string =>
    cells.map((cell, at) => (at === 0 ? cell.padEnd(12) : cell.padStart(12))).join('')
  const heading = line(['killed', ...steps])
  const body = blows.map(({ name }) => {
    const row = rows.get(name)
    return line([name, ...steps.map((step) => (row ? `ok ${row[step]} ms` : 'failed'))])
  })
  return [heading, ...body].join('\n')
}
