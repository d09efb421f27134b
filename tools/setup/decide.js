/** The first Node that runs .ts files as they are without a warning. */
export const OLDEST_NODE = '24.12.0'

/**
 * Whether what is installed (`node_modules/.package-lock.json`, npm's own record) is what the lock file
 * asks for. It compares versions and hashes and not a stamp of ours, so `npm install` by hand counts.
 * A package for another platform may be absent, and so may any optional one.
 */
export const isInstalled = (wanted, installed) => {
  if (installed?.packages === undefined) return false
  return Object.entries(wanted.packages ?? {}).every(([path, entry]) => {
    if (!path.startsWith('node_modules/')) return true
    const present = installed.packages[path]
    if (present === undefined) return entry.optional === true || entry.devOptional === true
    return ['version', 'integrity', 'link'].every((field) => present[field] === entry[field])
  })
}

/**
 * `good` when scripts will run on a Node that is new enough, `link it` when the package is there and
 * only its link in node_modules/.bin is not, `too old` when there is none.
 */
export const nodeVerdict = ({ brought, linked, host }) => {
  const fits = brought !== undefined && !isOlder(brought, OLDEST_NODE)
  if (fits && linked) return 'good'
  if (fits) return 'link it'
  return isOlder(host, OLDEST_NODE) ? 'too old' : 'good'
}

const isOlder = (version, floor) => {
  const [have, want] = [version, floor].map((text) => text.split('.').map(Number))
  const at = want.findIndex((part, index) => part !== have[index])
  return at !== -1 && have[at] < want[at]
}

/** What npm's output means, in one sentence that says what to do; its own last words follow. */
export const explainFailure = (output, root) => {
  const known = FAILURES.find(({ sign }) => sign.test(output))
  // npm says what is wrong first, and how npm is used last; warnings about engines come in between.
  const lines = output.split('\n').filter((line) => /\S/.test(line) && !/^npm warn/i.test(line))
  const words = lines.slice(0, 8).join('\n')
  const sentence = known?.sentence(root) ?? 'npm install failed; npm said'
  return `${sentence}:\n${words}`
}

const FAILURES = [
  {
    sign: /\b(EACCES|EPERM|EROFS)\b/,
    sentence: (root) => `no write access to something npm must write, in ${root} or in npm's cache`,
  },
  { sign: /\bENOSPC\b/, sentence: () => 'the disk is full; make room and try again' },
  {
    sign: /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED)\b/,
    sentence: () =>
      'the package registry cannot be reached; go online once (or set its address in npm) and try again',
  },
  {
    sign: /\b(EUSAGE|ETARGET|E404)\b/,
    sentence: () =>
      'the registry has not what package-lock.json names, or package.json disagrees with it',
  },
]
