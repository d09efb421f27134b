// Bugs that believe something before it is so, or that forget to ask for it.
import type { RecordedEvent } from '@weir/contract'
import type { PlantedBug } from './bug.ts'
import { asIfRecorded } from './fabricate.ts'
import { inLog } from './log-bugs.ts'

/** The story with facts that nobody recorded right after the last event of a type. */
const believing =
  (after: RecordedEvent['type'], facts: (event: RecordedEvent) => readonly [string, unknown][]) =>
  (story: readonly RecordedEvent[]): readonly RecordedEvent[] => {
    const last = story.findLast(({ type }) => type === after)
    if (last === undefined) return story
    const believed = facts(last).map(([type, data]) => asIfRecorded(last, type, data))
    const index = story.indexOf(last)
    return [...story.slice(0, index + 1), ...believed, ...story.slice(index + 1)]
  }

const keyOf = (event: RecordedEvent): string => `edge-${event.correlationid}`

export const beliefBugs: readonly PlantedBug[] = [
  {
    name: 'the finalizer goes when the release is asked for',
    does: 'the watcher does not wait for the absence of the resource',
    within: 10,
    plants: {
      store: inLog(['watcher'], (log) => ({
        story: async (tenant, id) => {
          const absent = believing('ReleaseRequested', (event) => [
            ['ResourceAbsent', { key: keyOf(event), epoch: 1, confirmedBy: [] }],
          ])
          return absent(await log.story(tenant, id))
        },
      })),
    },
  },
  {
    name: 'an address is shown when it is allocated',
    does: 'the watcher does not wait until a provider confirms it',
    within: 15,
    plants: {
      store: inLog(['watcher'], (log) => ({
        story: async (tenant, id) => {
          const shown = believing('FrontendsAllocated', (event) => [
            ['ResourceIntended', { epoch: 1, generation: 1, desired: { targets: [] } }],
            ['ResourceProgrammed', { epoch: 1, generation: 1, ingress: ingressOf(event) }],
          ])
          return shown(await log.story(tenant, id))
        },
      })),
    },
  },
  {
    name: 'an address is let go when the release is asked for',
    does: 'the allocator waits neither for the provider nor for the finalizer',
    within: 60,
    plants: {
      store: inLog(['allocator'], (log) => ({
        story: async (tenant, id) => {
          const over = believing('ReleaseRequested', (event) => [
            ['ResourceAbsent', { key: keyOf(event), epoch: 1, confirmedBy: [] }],
            ['FinalizerRemoved', { objectGone: false }],
          ])
          return over(await log.story(tenant, id)).map(asStatus)
        },
      })),
    },
  },
  {
    name: 'addresses without their rows',
    does: 'the allocator records an allocation and takes no claim',
    within: 30,
    plants: {
      store: inLog(['allocator'], (log) => ({
        append: ({ claims: _claims, ...request }) => log.append(request),
      })),
    },
  },
  {
    name: 'quarantine ignored',
    does: 'an address that is let go may be taken at once',
    within: 60,
    plants: {
      store: inLog(['allocator'], (log) => ({
        append: (request) =>
          log.append({
            ...request,
            claims: (request.claims ?? []).map((claim) =>
              claim.change === 'release' ? { ...claim, restMs: 0 } : claim,
            ),
          }),
      })),
    },
  },
  {
    name: 'gc deletes without an intent',
    does: 'gc does not record the delete before it makes it',
    within: 80,
    plants: {
      store: inLog(['gc'], (log) => ({
        append: async (request) =>
          request.events.some(({ event }) => event.type === 'ResourceDeleteIntended')
            ? { status: 'appended', events: [] }
            : log.append(request),
      })),
    },
  },
]

const ingressOf = (event: RecordedEvent) =>
  event.type === 'FrontendsAllocated'
    ? event.data.leases.map(({ ip }) => ({ ip, ipMode: 'VIP' }))
    : []

/** What was made up must not count as versions of the allocator's own stream. */
const asStatus = (event: RecordedEvent): RecordedEvent =>
  event.type === 'ResourceAbsent' || event.type === 'FinalizerRemoved'
    ? ({ ...event, subject: `status-${event.correlationid}` } as RecordedEvent)
    : event
