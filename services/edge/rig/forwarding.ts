import { resourceKey, type ResourceKey } from '@weir/contract'
import type { Change } from '../domain/forwarding-changes.ts'
import type { Element } from '../domain/forwarding-elements.ts'

/** Elements as the kernel keeps them: it refuses what is there twice and what isn't there. */
export const createKernel = (): {
  commit(change: Change): void
  held(): Element[]
  value(map: string, key: string): string | undefined
} => {
  const elements = new Map<string, Element>()
  const nameOf = ({ map, key }: Element): string => `${map} ${key}`
  return {
    commit: ({ deleted, added }) => {
      for (const element of deleted) {
        if (!elements.delete(nameOf(element))) throw new Error(`no ${nameOf(element)}`)
      }
      for (const element of added) {
        if (elements.has(nameOf(element))) throw new Error(`${nameOf(element)} exists`)
        elements.set(nameOf(element), element)
      }
    },
    held: () => [...elements.values()],
    value: (map, key) => {
      const found = elements.get(`${map} ${key}`)
      return found && (found.value ?? '')
    },
  }
}
/** As text, to compare what has no order. */
export const sorted = (elements: readonly Element[]): string[] =>
  elements.map(({ map, key, value }) => `${map} ${key} ${value ?? ''}`).sort()

const keyOf = (name: string): ResourceKey =>
  resourceKey.parse(`${name}-00000000-0000-4000-8000-000000000001`)
export const web = keyOf('web')
export const mail = keyOf('mail')
export const dns = keyOf('dns')
export const keys = [web, mail, dns, keyOf('db')]
