import { closeSync, existsSync, fsyncSync, openSync, readFileSync } from 'node:fs'
import { renameSync, truncateSync, writeSync } from 'node:fs'

/** One change as the journal keeps it; `json` is null for a deletion. */
export interface JournalEntry {
  readonly table: string
  readonly key: string
  readonly revision: number
  readonly json: string | null
}

/**
 * An append-only file of changes. A line is in the operating system's hands before its write is
 * acknowledged, so a killed process loses nothing that a client was told; it is not synced to the disk
 * each time, so a machine that loses power may lose the last moments.
 *
 * A line is `revision TAB table TAB key TAB json`; JSON text holds no line end, and keys no tab.
 */
export class Journal {
  readonly #path: string
  #file: number
  /** Bytes in the file, to know when rewriting it pays. */
  #bytes: number
  #rewriteAbove = smallest

  private constructor(path: string, file: number, bytes: number) {
    this.#path = path
    this.#file = file
    this.#bytes = bytes
  }

  /** Opens or makes the file, and tells what it holds in the order it happened. */
  static open(path: string, replay: (entry: JournalEntry) => void): Journal {
    const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
    // A process killed in the middle of a write leaves a line without its end: never acknowledged.
    const whole = text.lastIndexOf('\n') + 1
    for (const line of text.slice(0, whole).split('\n')) if (line !== '') replay(parse(line))
    const bytes = Buffer.byteLength(text.slice(0, whole))
    if (whole !== text.length) truncateSync(path, bytes)
    return new Journal(path, openSync(path, 'a', 0o600), bytes)
  }

  append(entry: JournalEntry): void {
    this.#bytes += writeSync(this.#file, lineOf(entry))
  }

  /** True once most of a large file is history. */
  get worthRewriting(): boolean {
    return this.#bytes > this.#rewriteAbove
  }

  /** Replaces the file by one that holds `entries` only; whole or not at all. */
  rewrite(entries: Iterable<JournalEntry>): void {
    const aside = `${this.#path}.new`
    const file = openSync(aside, 'w', 0o600)
    let bytes = 0
    for (const entry of entries) bytes += writeSync(file, lineOf(entry))
    fsyncSync(file)
    renameSync(aside, this.#path)
    closeSync(this.#file)
    this.#file = file
    this.#bytes = bytes
    this.#rewriteAbove = Math.max(smallest, 3 * bytes)
  }

  close(): void {
    closeSync(this.#file)
  }
}

const smallest = 32 * 1024 * 1024

const lineOf = (entry: JournalEntry): string =>
  `${entry.revision}\t${entry.table}\t${entry.key}\t${entry.json ?? ''}\n`

const parse = (line: string): JournalEntry => {
  const [revision = '', table = '', key = ''] = line.split('\t', 3)
  const json = line.slice(revision.length + table.length + key.length + 3)
  return { revision: Number(revision), table, key, json: json === '' ? null : json }
}
