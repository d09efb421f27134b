import { bindProblem } from '../userspace/bind-problem.ts'

/** What Envoy says of a port that it can't have (`strerror`), and the code that stands for it. */
const codes: readonly (readonly [string, string])[] = [
  ['Address already in use', 'EADDRINUSE'],
  ['Cannot assign requested address', 'EADDRNOTAVAIL'],
  ['Permission denied', 'EACCES'],
]

/** Why a frontend can't be opened: in our words where they are known, else in Envoy's. */
export const refusalOf = (frontend: string, ip: string, words: string): string => {
  const known = codes.find(([text]) => words.includes(text))
  if (!known) return `${frontend} can't be opened: Envoy says: ${words}`
  return bindProblem(frontend, ip, Object.assign(new Error(words), { code: known[1] }), undefined)
}
