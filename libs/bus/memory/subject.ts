/** Whether a subject falls under a filter: `*` is one token, `>` is one or more at the end. */
export const matches = (filter: string, subject: string): boolean => {
  const wanted = filter.split('.')
  const given = subject.split('.')
  for (const [index, token] of wanted.entries()) {
    if (token === '>') return given.length > index
    if (given[index] === undefined) return false
    if (token !== '*' && token !== given[index]) return false
  }
  return wanted.length === given.length
}
