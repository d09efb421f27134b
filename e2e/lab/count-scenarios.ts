const families = ['IPv4', 'IPv6'] as const
const protocols = ['TCP', 'UDP'] as const
const unnamed = 'not named'

const namedIn = (title: string, words: readonly string[]): readonly string[] => {
  const named = words.filter((word) => title.includes(word))
  return named.length === 0 ? [unnamed] : named
}

/** A table of how many titles name each family and protocol; one that names several counts once in each. */
export const countScenarios = (titles: readonly string[]): string => {
  const rows = [...families, unnamed].map((family) => [
    family,
    ...[...protocols, unnamed].map((protocol) =>
      String(
        titles.filter(
          (title) =>
            namedIn(title, families).includes(family) &&
            namedIn(title, protocols).includes(protocol),
        ).length,
      ),
    ),
  ])
  const lines = [[`${titles.length} passed`, ...protocols, unnamed], ...rows]
  return lines
    .map(
      ([first = '', ...cells]) =>
        first.padEnd(12) + cells.map((each) => each.padStart(11)).join(''),
    )
    .join('\n')
}
