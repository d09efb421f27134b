import { OperatingError, type Logger } from '@weir/kernel'
import {
  areSame,
  differencesIn,
  packStages,
  repairsOf,
  weightOf,
  type PackedChange,
  type Stage,
} from '../../domain/forwarding-changes.ts'
import {
  elementsIn,
  elementsOfSlice,
  mapNames,
  slicesOfSlots,
  listedMaps,
} from '../../domain/forwarding-elements.ts'
import type { ForwardingModel, Wanted } from '../../domain/forwarding-model.ts'
import type { FrontendKey } from '../../domain/forwarding-table.ts'
import type { Nft } from './nft.ts'

export interface WriterPorts {
  readonly nft: Nft
  readonly model: ForwardingModel
  readonly log: Logger
  /** Aborts what compares the table: it may have thousands of turns to go. */
  readonly signal: AbortSignal
}

interface Waiting {
  readonly wanted: Wanted
  readonly settle: (refused: readonly FrontendKey[] | Error) => void
}

/** Elements of one transaction: few enough that the kernel's lock is free again soon. */
const mostAtOnce = 20_000
/** Slots that are compared in one turn, some 20 ms: a wish that comes meanwhile waits no longer for it. */
const mostCompared = 1000
/**
 * The words of EMSGSIZE. Only root of the machine may widen a socket's buffer beyond net.core.wmem_max, where some 4,000
 * elements fit; root of a user namespace may not.
 */
const isTooLong = (error: unknown): boolean =>
  error instanceof Error && error.message.includes('Message too long')

/** Brings wishes into the kernel, one transaction after the other, each with all that came meanwhile. */
export interface Writer {
  /**
   * Has it in the kernel when it resolves, with the frontends that somebody else holds.
   * @throws OperatingError when the kernel took none of a transaction; the next one reads it first
   */
  want(wanted: Wanted): Promise<readonly FrontendKey[]>
  releaseUnclaimed(): Promise<void>
  /**
   * Compares the kernel's table with what it should be, in turns that wishes come between, and repairs what differs; a
   * sentence for each such element. What no packet meets, a slot of no set, is not found.
   * @param goesOn called after each turn that found nothing
   */
  verify(goesOn: () => void): Promise<readonly string[]>
  idle(): Promise<void>
}

export const createWriter = ({ nft, model, log, signal }: WriterPorts): Writer => {
  const waiting: Waiting[] = []
  let tail: Promise<unknown> = Promise.resolve()
  let doubtful = false
  let most = mostAtOnce

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = tail.then(work)
    tail = mine.catch(() => undefined)
    return mine
  }
  const write = async (stages: readonly Stage[]): Promise<void> => {
    for (const packed of packStages(stages, most)) await writePacked(packed)
  }
  const writePacked = async (packed: PackedChange): Promise<void> => {
    try {
      await nft.commit(packed)
    } catch (error) {
      if (!isTooLong(error) || packed.parts.length === 1) throw error
      // Nothing of it was taken.
      most = Math.max(1, Math.floor(weightOf(packed) / 2))
      log.info({ elements: most }, 'the kernel takes fewer elements at once')
      await write([packed.parts])
    }
  }
  const commit = async (stages: readonly Stage[]): Promise<void> => {
    try {
      if (doubtful) await repair()
      else await write(stages)
    } catch (error) {
      // What the kernel has now is read before anything else is written.
      doubtful = true
      throw error
    }
  }
  const repair = async (): Promise<readonly string[]> => {
    const held = (await nft.isLoaded()) ? await nft.elements(mapNames) : await reload()
    const repairs = repairsOf(held, model.table())
    await write(repairs)
    doubtful = false
    return differencesIn(repairs)
  }
  const repairAndTell = async (): Promise<readonly string[]> => {
    const differed = await repair()
    if (differed.length > 0) {
      const examples = differed.slice(0, 5)
      log.error({ elements: differed.length, examples }, 'the kernel’s table differed; repaired')
    }
    return differed
  }
  /** What tells together that the table is right, each of it as it is in its turn. */
  const looks = function* (): Generator<() => Promise<boolean>> {
    yield () => nft.isLoaded()
    for (const map of listedMaps) {
      yield async () => areSame(await nft.elements([map]), elementsIn(model.table(), map))
    }
    for (const slice of slicesOfSlots(model.table().sets, Math.min(mostCompared, most))) {
      const slots = () => elementsOfSlice(model.table().sets, slice)
      yield () => nft.wouldTake({ deleted: [], added: slots() })
      yield () => nft.wouldTake({ deleted: slots(), added: [] })
    }
  }
  const reload = async (): Promise<readonly []> => {
    log.error({}, 'the kernel’s table was gone or had other rules; loading it again')
    await nft.load()
    return []
  }
  const flush = async (): Promise<void> => {
    const batch = waiting.splice(0)
    if (batch.length === 0) return
    const { stages, refused } = model.plan(batch.map(({ wanted }) => wanted))
    try {
      await commit(stages)
      for (const { wanted, settle } of batch) settle(refused.get(wanted.key) ?? [])
    } catch (error) {
      for (const { settle } of batch) settle(error instanceof Error ? error : new Error('unknown'))
    }
  }
  return {
    want: (wanted) =>
      new Promise((resolve, reject) => {
        const settle: Waiting['settle'] = (refused) =>
          refused instanceof Error ? reject(refused) : resolve(refused)
        waiting.push({ wanted, settle })
        // One turn takes all that wait by then: more of them would keep whoever comes next waiting.
        if (waiting.length === 1) void inTurn(flush)
      }),
    releaseUnclaimed: () => inTurn(() => commit(model.releaseUnclaimed())),
    verify: async (goesOn) => {
      for (const isRight of looks()) {
        if (signal.aborted) throw new OperatingError('the data plane was closed')
        if (!(await inTurn(isRight))) return inTurn(repairAndTell)
        goesOn()
      }
      return doubtful ? inTurn(repairAndTell) : []
    },
    idle: () => inTurn(() => Promise.resolve()),
  }
}
