// Bugs in how the log and the work beside it are used.
import type { AppendRequest, ClaimChange, EventLog, Store, WorkQueue } from '@weir/eventlog'
import type { Place, ServiceName } from '../hosts/machine.ts'
import type { PlantedBug } from './bug.ts'
import { asIfAppended } from './fabricate.ts'

/** Wraps the log of some services. */
export const inLog =
  (services: readonly ServiceName[], change: (log: EventLog, at: Place) => Partial<EventLog>) =>
  (store: Store, at: Place): Store =>
    services.includes(at.service)
      ? { ...store, log: { ...store.log, ...change(store.log, at) } }
      : store

const inWork =
  (services: readonly ServiceName[], change: (work: WorkQueue, at: Place) => Partial<WorkQueue>) =>
  (store: Store, at: Place): Store =>
    services.includes(at.service)
      ? { ...store, work: { ...store.work, ...change(store.work, at) } }
      : store

const lettingGoOfAll = ({ events, claims = [] }: AppendRequest): readonly ClaimChange[] => [
  ...claims,
  ...events.flatMap(({ event }) => {
    if (event.type !== 'FrontendsReleased') return []
    return event.data.leases.flatMap(({ ip, group }) =>
      group === undefined || claims.some(({ key }) => key === ip)
        ? []
        : [{ change: 'release', scope: 'address', key: ip, holder: group, restMs: 0 } as const],
    )
  }),
]

export const logBugs: readonly PlantedBug[] = [
  {
    name: 'the provider is called before its intent is recorded',
    does: 'the provisioner goes on while ResourceIntended is on its way to the log',
    within: 10,
    plants: {
      store: inLog(['provisioner'], (log, { actor }) => ({
        append: async (request) => {
          const isIntent = request.events.some(({ event }) => event.type === 'ResourceIntended')
          if (!isIntent) return log.append(request)
          void actor.clock.sleep(500).then(() => log.append(request).catch(() => undefined))
          return { status: 'appended', events: asIfAppended(request, actor.clock.now()) }
        },
      })),
    },
  },
  {
    name: 'decisions on a story from memory',
    does: 'the provisioner takes a story that it read up to 20 seconds ago',
    within: 40,
    plants: {
      store: inLog(['provisioner'], (log, { actor }) => {
        const read = new Map<string, { at: number; story: ReturnType<EventLog['story']> }>()
        return {
          story: (tenant, id) => {
            const known = read.get(id)
            const now = actor.clock.now()
            if (known !== undefined && now - known.at < 20_000) return known.story
            const story = log.story(tenant, id)
            read.set(id, { at: now, story })
            return story
          },
        }
      }),
    },
  },
  {
    name: 'events read by id > last',
    does: 'a page of the log leaves out an event that was committed late',
    within: 80,
    plants: {
      store: inLog(['watcher', 'allocator', 'provisioner'], (log, { actor }) => ({
        after: async (tenant, sequence, limit) => {
          const page = await log.after(tenant, sequence, limit)
          return page.length > 1 && actor.ids.random() < 0.3 ? page.slice(1) : page
        },
      })),
    },
  },
  {
    name: 'the bus is the only way',
    does: 'nobody looks in the log for what the bus did not bring',
    within: 60,
    plants: {
      store: inWork(['watcher', 'allocator', 'provisioner'], () => ({
        lagging: async () => [],
      })),
    },
  },
  {
    name: 'a shared address is let go with the first',
    does: 'whoever leaves a sharing group lets go of its address, though others hold it',
    within: 150,
    plants: {
      store: inLog(['allocator'], (log) => ({
        append: (request) => log.append({ ...request, claims: lettingGoOfAll(request) }),
      })),
    },
  },
  {
    name: 'work is settled before it is done',
    does: 'a key is done as soon as it is taken, so a crash loses it',
    within: 60,
    plants: {
      store: inWork(['watcher', 'allocator', 'provisioner'], (work) => ({
        claim: async (request) => {
          const items = await work.claim(request)
          for (const item of items) await work.done(item)
          return items
        },
      })),
    },
  },
  {
    name: 'a change is kept and nobody told',
    does: 'one observation of ten is stored without work for its keys',
    within: 120,
    plants: {
      store: (store, { actor, service }) =>
        service === 'watcher'
          ? store
          : {
              ...store,
              observed: {
                ...store.observed,
                store: async (consumer, seen) => {
                  if (actor.ids.random() > 0.1) return store.observed.store(consumer, seen)
                  const quiet = seen.map((each) => ({ ...each, keys: [] }))
                  await store.observed.store(consumer, quiet)
                  return []
                },
              },
            },
    },
  },
]
