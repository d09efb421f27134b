// Reads the tree for the tidy test: which files there are, what they import, where functions begin and end.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'

export interface SourceFile {
  /** Path from the root of the repository, with forward slashes. */
  readonly path: string
  readonly text: string
  readonly lines: readonly string[]
}

export interface Import {
  readonly from: string
  readonly line: number
  readonly typeOnly: boolean
}

export const root = resolve(import.meta.dirname, '../..')

/** Every file under version control, and those that are new and not ignored, that still exists. */
export const listFiles = (pattern: RegExp): string[] =>
  execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((path) => pattern.test(path) && existsSync(join(root, path)))

export const readSource = (path: string): SourceFile => {
  const text = readFileSync(join(root, path), 'utf8')
  return { path, text, lines: text.split('\n') }
}

const importPattern =
  /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|\b(?:import|require\.resolve)\(\s*'([^']+)'\s*\)/gm

/** Everything a file imports or re-exports; dynamic imports and `require.resolve` included. */
export const importsOf = ({ text }: SourceFile): Import[] =>
  [...text.matchAll(importPattern)].map((match) => ({
    from: match[2] ?? match[3] ?? '',
    line: text.slice(0, match.index).split('\n').length,
    typeOnly: match[1] !== undefined,
  }))

/** The workspace a file belongs to: `libs/x`, `services/x`, `cli`, or a folder at the top. */
export const unitOf = (path: string): string => {
  const [first = '', second = ''] = path.split('/')
  return first === 'libs' || first === 'services' ? `${first}/${second}` : first
}

/** The unit that a file's import leads to, or the package's name when it isn't ours. */
export const unitOfImport = (path: string, from: string): string => {
  if (from.startsWith('@weir/')) {
    const name = from.split('/')[1] ?? ''
    for (const place of [`libs/${name}`, `services/${name}`, name]) {
      if (existsSync(join(root, place, 'package.json'))) return place
    }
    return from
  }
  if (!from.startsWith('.')) return from
  return unitOf(
    relative(root, resolve(root, dirname(path), from))
      .split(sep)
      .join('/'),
  )
}

/** `@scope/name` or `name` of a bare import; undefined for paths and Node's own modules. */
export const packageOf = (from: string): string | undefined => {
  if (from.startsWith('.') || from.startsWith('node:') || from.startsWith('#')) return undefined
  return from
    .split('/')
    .slice(0, from.startsWith('@') ? 2 : 1)
    .join('/')
}

/** Tests, and what only tests use: conformance suites, and folders named `rig` or `upstream`. */
export const isTest = (path: string): boolean =>
  /\.(test|conformance)\.ts$|\/(rig|upstream)\//.test(path)
export const nameOf = (path: string): string => basename(path).replace(/\..*$/, '')

export interface FunctionSpan {
  readonly line: number
  /** Lines of its own: those of functions inside it count for them. */
  readonly length: number
}

/**
 * Functions by indentation: a line that opens a function's body, up to the line that closes it at the same
 * indentation. The formatter makes this exact enough.
 */
export const functionsOf = ({ lines }: SourceFile): FunctionSpan[] => {
  const spans: { line: number; end: number }[] = []
  lines.forEach((line, index) => {
    if (!/(=>\s*\{|^\s*(export\s+)?(async\s+)?function\b.*\{)$/.test(line)) return
    const indent = /^\s*/.exec(line)?.[0] ?? ''
    const end = lines.findIndex((each, at) => at > index && each.startsWith(`${indent}}`))
    if (end > index) spans.push({ line: index + 1, end: end + 1 })
  })
  const lengthOf = (span: { line: number; end: number }): number => span.end - span.line + 1
  return spans.map((span) => {
    const inside = spans.filter((each) => each.line > span.line && each.end < span.end)
    const direct = inside.filter(
      (each) => !inside.some((o) => o.line < each.line && o.end > each.end),
    )
    const theirs = direct.reduce((sum, each) => sum + lengthOf(each), 0)
    return { line: span.line, length: lengthOf(span) - theirs }
  })
}
