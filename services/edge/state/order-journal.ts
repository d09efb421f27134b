import { edgeOrder, type EdgeOrder, type ResourceKey } from '@weir/contract'
import { createKeyedQueue, OperatingError, type Logger } from '@weir/kernel'
import { mkdir, open, readFile, rename, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { marksOf } from '../domain/decide.ts'

/**
 * The last order obeyed per resource, on disk: what an edge serves when it starts and nobody else is
 * alive, and the fence against orders of lesser version.
 *
 * One file of JSON lines; the last line of a key counts. Appending costs the same however much is held,
 * and a line torn by a crash is the last one, which was never reported.
 *
 * `record` resolves when the lines survive a crash of this process. When a tombstone is among them they
 * survive a crash of the machine too: once `absent` is reported the address may be given to somebody
 * else, so the old listener must not come back. A lost `serve` line comes again from the bus, and the
 * heartbeat shows that it is missing.
 */
export interface OrderJournal {
  /** The orders held, as the file had them. */
  readonly orders: ReadonlyMap<ResourceKey, EdgeOrder>
  /** @throws OperatingError when the disk refuses; the lines may come again. */
  record(orders: readonly EdgeOrder[]): Promise<void>
  /**
   * Leaves these out when the file is next written anew; until then a restart finds them again.
   * @throws OperatingError when it is written anew now and the disk refuses.
   */
  forget(keys: readonly ResourceKey[]): Promise<void>
  close(): Promise<void>
}

/** Tombstones beyond this are forgotten, oldest first, when the file is rewritten. */
const tombstonesMax = 10_000
/** The file is rewritten when it has this many lines more than twice what is held. */
const wasteMax = 1_000

const readLines = async (path: string): Promise<readonly string[]> => {
  try {
    return (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

const parseLine = (line: string): EdgeOrder | undefined => {
  try {
    return edgeOrder.safeParse(JSON.parse(line)).data
  } catch {
    return undefined
  }
}

const keep = (orders: Map<ResourceKey, EdgeOrder>, order: EdgeOrder): void => {
  const { key } = marksOf(order)
  orders.delete(key)
  orders.set(key, order)
}

const forgetOldTombstones = (orders: Map<ResourceKey, EdgeOrder>): void => {
  const removed = [...orders].filter(([, order]) => order.order === 'remove')
  for (const [key] of removed.slice(0, Math.max(0, removed.length - tombstonesMax))) {
    orders.delete(key)
  }
}

/** Writes a new file beside the old one and puts it in its place. */
const rewrite = async (
  folder: string,
  path: string,
  orders: Iterable<EdgeOrder>,
): Promise<void> => {
  const temporary = `${path}.new`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile([...orders].map((order) => `${JSON.stringify(order)}\n`).join(''))
    await file.datasync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  const directory = await open(folder, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/**
 * @param folder is made when missing.
 * @throws OperatingError when it can't be read or written.
 */
export const openOrderJournal = async (folder: string, log: Logger): Promise<OrderJournal> => {
  const path = join(folder, 'orders.jsonl')
  const orders = new Map<ResourceKey, EdgeOrder>()
  const turn = createKeyedQueue(1)
  let file: FileHandle | undefined
  let lines = 0

  const compact = async (): Promise<void> => {
    await file?.close()
    file = undefined
    forgetOldTombstones(orders)
    await rewrite(folder, path, orders.values())
    lines = orders.size
    file = await open(path, 'a', 0o600)
  }
  const compactIfWorthIt = async (): Promise<void> => {
    if (lines > orders.size * 2 + wasteMax) await compact()
  }
  const append = async (added: readonly EdgeOrder[]): Promise<void> => {
    for (const order of added) keep(orders, order)
    // A failed write may have left half a line, so after a failure everything is written anew.
    if (!file) return compact()
    try {
      await file.appendFile(added.map((order) => `${JSON.stringify(order)}\n`).join(''))
      if (added.some((order) => order.order === 'remove')) await file.datasync()
    } catch (error) {
      await file.close().catch(() => undefined)
      file = undefined
      throw error
    }
    lines += added.length
    await compactIfWorthIt()
  }
  const explained = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (cause) {
      throw new OperatingError(
        `cannot write ${path}, where the edge keeps its last good state; ` +
          'make WEIR_EDGE_STATE_DIR a folder that this user may write, with space left',
        { cause, retry: { afterMs: 1_000 } },
      )
    }
  }

  await explained(async () => {
    await mkdir(folder, { recursive: true })
    const found = await readLines(path)
    const parsed = found.map(parseLine)
    for (const order of parsed) if (order) keep(orders, order)
    const unreadable = parsed.filter((order) => order === undefined).length
    if (unreadable > 0) log.warn({ path, unreadable }, 'lines of the order journal are unreadable')
    await compact()
  })
  return {
    orders,
    record: (added) => turn.run('file', () => explained(() => append(added))),
    forget: (keys) =>
      turn.run('file', () =>
        explained(async () => {
          for (const key of keys) orders.delete(key)
          await compactIfWorthIt()
        }),
      ),
    close: () => turn.run('file', async () => file?.close()),
  }
}
