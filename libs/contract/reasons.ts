import type { DomainEvent, EventData } from './events.ts'
import { frontendText } from './net.ts'

/** Why a load balancer is not as its Service asks, for a person: the word, the cause and the way out. */
export interface Reason {
  /** CamelCase, for conditions, annotations and scripts; never changes its meaning. */
  readonly code: string
  /** What is the matter, one sentence without a full stop. */
  readonly message: string
  /** What to do about it, one sentence without a full stop. */
  readonly fix: string
}

const refusalTypes = [
  'PoolMissing',
  'PoolExhausted',
  'AddressNotInPool',
  'AddressTaken',
  'FrontendTaken',
  'ProtocolUnsupported',
  'FamilyUnsupported',
  'IntentInvalid',
  'ResourceRefused',
] as const

/** An event by which a Service is refused by name. */
export type RefusalEvent = Extract<DomainEvent, { type: (typeof refusalTypes)[number] }>

/** Narrows to refusals, recorded or not. */
export const isRefusal = <E extends { readonly type: string }>(
  event: E,
): event is Extract<E, { type: RefusalEvent['type'] }> =>
  (refusalTypes as readonly string[]).includes(event.type)

/** The words for a refusal, the same wherever they are shown. */
export const reasonOf = (refusal: RefusalEvent): Reason => {
  const code = refusal.type
  switch (refusal.type) {
    case 'PoolMissing':
      return { code, ...poolMissing(refusal.data.requestedPool) }
    case 'PoolExhausted':
      return { code, ...poolExhausted(refusal.data) }
    case 'AddressNotInPool':
      return {
        code,
        message: `the address ${refusal.data.address} lies in no pool open to this tenant`,
        fix: `ask for an address of ${namesOf(refusal.data.pools)}, or for none to be given one`,
      }
    case 'AddressTaken': {
      const { address, holder } = refusal.data
      return {
        code,
        message: `the address ${address} is held by ${holder ? `the Service ${holder}` : 'another load balancer'}`,
        fix: 'ask for another address, or for none; it heals when the holder lets go',
      }
    }
    case 'FrontendTaken': {
      const { frontend, holder } = refusal.data
      return {
        code,
        message: `${frontendText(frontend)} of the shared address is held by the Service ${holder}`,
        fix: 'ask for other ports, or name another sharing key; it heals when that Service lets go',
      }
    }
    case 'ProtocolUnsupported':
      return {
        code,
        message: `the protocol ${refusal.data.protocols.join(', ')} is not served here`,
        fix: 'remove the ports with it; nothing is served by half',
      }
    case 'FamilyUnsupported':
      return {
        code,
        message: `no pool open to this tenant has ${refusal.data.family} addresses`,
        fix: 'change spec.ipFamilies, or have such a pool added',
      }
    case 'IntentInvalid':
      return {
        code,
        message: refusal.data.problems
          .map(({ field, problem }) => `${field} ${problem}`)
          .join('; '),
        fix: 'correct it; until then nothing is served rather than something else',
      }
    case 'ResourceRefused':
      return {
        code,
        message: `the driver ${refusal.data.driver} cannot do ${refusal.data.capability}: ${refusal.data.problem}`,
        fix: 'change the Service so that it does without',
      }
  }
}

type Words = Omit<Reason, 'code'>

const poolMissing = (asked: string | null): Words =>
  asked === null
    ? {
        message: 'no address pool is open to this tenant',
        fix: 'an operator can add one: weir pool create',
      }
    : {
        message: `no pool "${asked}" is open to this tenant`,
        fix: 'name another pool, or remove the pool annotation to use any',
      }

const poolExhausted = ({ tried, nextFreeAt }: EventData<'PoolExhausted'>): Words => {
  const pools = tried.map(({ pool, size }) => `${pool} (${size})`).join(', ')
  const next = nextFreeAt === null ? '' : `; the next one is free at ${nextFreeAt}`
  return {
    message: `every address is taken or resting in ${pools}${next}`,
    fix: 'it heals when an address comes free; delete a Service, or have the pool grown',
  }
}

/** A reason as one line of text, at most `most` characters. */
export const reasonText = ({ code, message, fix }: Reason, most = 900): string => {
  const text = `${code}: ${message}. To fix: ${fix}.`
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`
}

const namesOf = (pools: readonly string[]): string =>
  pools.length === 0 ? 'a pool of yours' : `the pools ${pools.join(', ')}`
