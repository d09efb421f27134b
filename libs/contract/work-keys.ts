/** A row that nobody may need any more: an address, or a frontend as `frontendText` writes it. */
export interface HeldRow {
  readonly scope: 'address' | 'frontend'
  readonly key: string
}

const prefix = 'stray/'

/** The allocator's work key for a look at one row, asked for by gc. */
export const strayWork = ({ scope, key }: HeldRow): string => `${prefix}${scope}/${key}`

/** The row that a work key is about; undefined for the key of other work. */
export const strayOf = (work: string): HeldRow | undefined => {
  if (!work.startsWith(prefix)) return undefined
  const [, scope = '', key = ''] = /^([a-z]+)\/(.+)$/.exec(work.slice(prefix.length)) ?? []
  return scope === 'address' || scope === 'frontend' ? { scope, key } : undefined
}
