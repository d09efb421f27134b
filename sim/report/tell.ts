// The ledger in words: one line for each thing that happened, for people who ask why.
import type { Service } from '../kube/object.ts'
import type { Change } from '../kube/store.ts'
import type { Entry, Ledger } from '../truth/ledger.ts'

/** Lines about the Services named, or about all of them. */
export const tellStory = (ledger: Ledger, uids: readonly string[]): readonly string[] => {
  const [first] = ledger.entries
  const began = first?.at ?? 0
  return ledger.entries.flatMap((entry) => {
    const { about, words } = wordsOf(entry)
    const matters = uids.length === 0 || about === '' || uids.includes(about)
    return matters && words !== '' ? [`${seconds(entry.at - began)}  ${words}`] : []
  })
}

/** UIDs of Services that a sentence names. */
export const uidsIn = (text: string): readonly string[] => [
  ...new Set(text.match(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g) ?? []),
]

const seconds = (ms: number): string => `${(ms / 1000).toFixed(3)} s`.padStart(12)

interface Words {
  /** The UID of the Service that it is about; empty when it is about none or all. */
  readonly about: string
  readonly words: string
}

const wordsOf = (entry: Entry): Words => {
  switch (entry.kind) {
    case 'event': {
      const { event } = entry
      const isPlatform = /^(pool|cluster|tenant|driver|cleanup)-/.test(event.subject)
      const what = `log       ${event.actor}: ${event.type} ${dataOf(event.data)}`
      return { about: isPlatform ? '' : event.correlationid, words: what }
    }
    case 'kube-write': {
      const { by, after, patch } = entry.write
      const words = `status    ${by}: ${JSON.stringify(patch).slice(0, 300)}`
      return { about: after.metadata.uid, words }
    }
    case 'kube-change':
      return changeWords(entry.change)
    case 'provider': {
      const { by, act, ref, service, key, epoch, generation } = entry.act
      const words = `provider  ${by}: ${act} ${ref} (${key} ${epoch}/${generation})`
      return { about: service, words }
    }
  }
}

const changeWords = ({ resource, type, object }: Change): Words => {
  const { name, uid } = object.metadata
  if (resource !== 'services') return { about: '', words: `cluster   ${type} ${resource} ${name}` }
  const { metadata, spec, status } = object as Service
  const deleting = metadata.deletionTimestamp === undefined ? '' : ' deleting'
  const ports = spec.ports.map(({ protocol, port }) => `${protocol}/${port}`).join()
  const shown = (status.loadBalancer.ingress ?? []).map(({ ip }) => ip).join()
  const held = (metadata.finalizers ?? []).length > 0 ? ' held' : ''
  const version = `rv ${metadata.resourceVersion}`
  const state = `${spec.type} ${ports} [${shown}]${held}${deleting} ${version}`
  return { about: uid, words: `cluster   ${type} Service ${name} ${uid} ${state}` }
}

/** Data without what is long and rarely asked for. */
const dataOf = (data: unknown): string => {
  const short = JSON.stringify(data, (name, value: unknown) =>
    ['desired', 'intent', 'marks', 'before', 'considered'].includes(name) ? undefined : value,
  )
  return short.slice(0, 240)
}
