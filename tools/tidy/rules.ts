// The style guide as rules over source files; `tidy.test.ts` runs them on the tree and on planted slips.
import {
  functionsOf,
  importsOf,
  isTest,
  nameOf,
  packageOf,
  unitOf,
  unitOfImport,
  type SourceFile,
} from './source.ts'

/** A slip: `path:line: what is wrong and what to do`. */
export type Slip = string

const slip = (file: SourceFile, line: number, problem: string): Slip =>
  `${file.path}:${line}: ${problem}`

const pureLibs = ['libs/kernel', 'libs/contract']
const worldLibs = [
  'libs/eventlog',
  'libs/bus',
  'libs/kube',
  'libs/drivers',
  'libs/runtime',
  'libs/embedded',
  'libs/minicluster',
]
/** Libs that exist to join others. */
const joiningLibs = ['libs/backbone', 'libs/testing']
const anyTest = ['libs/testing', 'libs/minicluster', 'libs/embedded']

/** Folders that prove the whole and may look into every part of it. */
const provers = ['e2e', 'sim', 'chaos', 'bench', 'tools']

/** Who may import whom. */
export const layerSlips = (file: SourceFile): Slip[] =>
  importsOf(file).flatMap(({ from, line }) => {
    const mine = unitOf(file.path)
    const theirs = unitOfImport(file.path, from)
    if (from.startsWith('.') && theirs !== mine && !provers.includes(mine)) {
      return [slip(file, line, `${from} reaches into ${theirs}; import the package by its name`)]
    }
    if (theirs === mine || !/^(libs|services)\//.test(theirs)) return []
    return mayImport(file.path, mine, theirs)
      ? []
      : [slip(file, line, `${mine} must not import ${theirs}`)]
  })

const mayImport = (path: string, mine: string, theirs: string): boolean => {
  if (isTest(path) && anyTest.includes(theirs)) return true
  if (theirs.startsWith('services/')) return provers.includes(mine)
  if (pureLibs.includes(mine)) return false
  // The real control plane is three child processes, and those have one home.
  if (mine === 'libs/minicluster' && theirs === 'libs/embedded') return true
  if (worldLibs.includes(mine)) return pureLibs.includes(theirs)
  if (theirs === 'libs/testing') return provers.includes(mine) && mine !== 'tools'
  if (joiningLibs.includes(mine)) return true
  if (path.includes('/domain/')) return pureLibs.includes(theirs)
  return true
}

const outsideWorlds: Readonly<Record<string, readonly string[]>> = {
  '@kubernetes/client-node': ['libs/kube'],
  '@nats-io/': ['libs/bus'],
  pg: ['libs/eventlog', 'libs/testing'],
  kysely: ['libs/eventlog'],
  '@aws-sdk/': ['libs/drivers'],
}

/** One importer per outside world. */
export const worldSlips = (file: SourceFile): Slip[] =>
  (isTest(file.path) ? [] : importsOf(file)).flatMap(({ from, line }) =>
    Object.entries(outsideWorlds).flatMap(([name, homes]) => {
      const hit = from === name || from.startsWith(name.endsWith('/') ? name : `${name}/`)
      if (!hit || homes.includes(unitOf(file.path))) return []
      return [slip(file, line, `only ${homes.join(' and ')} may import ${name}`)]
    }),
  )

/** A service's domain is pure: our words, its own folder, and nothing that waits or looks at a clock. */
export const domainSlips = (file: SourceFile): Slip[] => {
  if (!/^services\/[^/]+\/domain\//.test(file.path) || isTest(file.path)) return []
  const imports = importsOf(file).flatMap(({ from, line }) => {
    const own = from.startsWith('./') || from === '@weir/contract' || from === '@weir/kernel'
    return own
      ? []
      : [
          slip(
            file,
            line,
            `domain imports ${from}; it may import contract, kernel and its own folder`,
          ),
        ]
  })
  const waits = grep(file, /\bawait\b|\basync\b/, 'domain waits; leave effects to handle.ts')
  return [...imports, ...waits]
}

const grep = (file: SourceFile, pattern: RegExp, problem: string): Slip[] =>
  file.lines.flatMap((line, index) =>
    pattern.test(line.replace(/\/\/.*$|^\s*\*.*$/, '')) ? [slip(file, index + 1, problem)] : [],
  )

interface Ban {
  readonly pattern: RegExp
  readonly homes: readonly RegExp[]
  readonly instead: string
}

const bans: readonly Ban[] = [
  {
    pattern: /\bDate\.now\(|new Date\(\)/,
    homes: [/^libs\/kernel\/system\.ts$/],
    instead: 'take a Clock',
  },
  { pattern: /\bMath\.random\(/, homes: [/^libs\/kernel\/system\.ts$/], instead: 'take Ids' },
  {
    pattern: /\bprocess\.env\b/,
    homes: [/^libs\/runtime\/env\.ts$/],
    instead: 'read it through @weir/runtime',
  },
  {
    pattern: /\bconsole\./,
    homes: [/^cli\/output\.ts$/],
    instead: 'log with a Logger; the CLI prints by output.ts',
  },
]

/** Calls that have one home. Tests, benches and tools may look at a clock and at the environment. */
export const banSlips = (file: SourceFile): Slip[] => {
  if (isTest(file.path) || /^(tools|bench|e2e|sim|chaos|libs\/testing)\//.test(file.path)) return []
  return bans
    .filter(({ homes }) => !homes.some((home) => home.test(file.path)))
    .flatMap(({ pattern, instead }) =>
      grep(file, pattern, `${pattern.source} is banned here; ${instead}`),
    )
}

/** Long files that have a reason to be, each with it. */
export const longFiles: Readonly<Record<string, string>> = {}

const sayNothing = /^(utils?|helpers?|common|misc|manager|types)$/

/** Sizes and names. A test's lines may be a table, so tests are free in length. */
export const shapeSlips = (file: SourceFile): Slip[] => {
  const slips: Slip[] = []
  const limit = isTest(file.path) ? 1000 : 300
  const long = file.lines.length - 1
  if (long > limit && longFiles[file.path] === undefined)
    slips.push(slip(file, 1, `${long} lines; split it by idea (at most ${limit})`))
  if (sayNothing.test(nameOf(file.path)))
    slips.push(slip(file, 1, 'the name says nothing; name the thing'))
  if (!/^[a-z0-9.-]+$/.test(file.path.split('/').at(-1) ?? ''))
    slips.push(slip(file, 1, 'file names are kebab-case'))
  // What the formatter could not break holds a long string or pattern; a comment has no such excuse.
  slips.push(...grep(file, /^[^'"`/]{101,}$/, 'line over 100 columns; break it'))

  slips.push(...grep(file, /\b(TO)(DO)\b|\b(FIX)(ME)\b/, 'leftover; do it or write it in an issue'))
  if (isTest(file.path)) return slips
  const most = 60
  return [
    ...slips,
    ...functionsOf(file)
      .filter(({ length }) => length > most)
      .map(({ line, length }) =>
        slip(file, line, `function of ${length} lines; split it (at most ${most})`),
      ),
  ]
}

/** Every event says in a doc comment which fact it states and who writes it. */
export const eventDocSlips = (file: SourceFile): Slip[] => {
  if (!/^libs\/contract\/[a-z]+-events\.ts$/.test(file.path)) return []
  return file.lines.flatMap((line, index) => {
    const name = /^ {2}([A-Z]\w+): z/.exec(line)?.[1]
    const documented = file.lines[index - 1]?.trim().endsWith('*/')
    return name && !documented ? [slip(file, index + 1, `event ${name} has no doc comment`)] : []
  })
}

export interface Manifest {
  readonly name: string
  readonly dependencies?: Readonly<Record<string, string>>
}

/** Every declared dependency is used and every used one declared, in each package. */
export const manifestSlips = (
  unit: string,
  manifest: Manifest,
  files: readonly SourceFile[],
): Slip[] => {
  const declared = Object.keys(manifest.dependencies ?? {})
  const rootOnly = ['vitest', 'vitest/config', 'fast-check']
  const uses = new Map<string, string>()
  for (const file of files) {
    for (const { from, line } of importsOf(file)) {
      const name = packageOf(from)
      const testOnly =
        isTest(file.path) && (rootOnly.includes(name ?? '') || name?.startsWith('@weir/'))
      if (name && name !== manifest.name && !testOnly) uses.set(name, `${file.path}:${line}`)
    }
  }
  return [
    ...[...uses]
      .filter(([name]) => !declared.includes(name))
      .map(([name, at]) => `${at}: ${name} is not in ${unit}/package.json`),
    ...declared
      .filter((name) => !uses.has(name))
      .map((name) => `${unit}/package.json: ${name} is declared and not used`),
  ]
}
