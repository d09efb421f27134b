import { OperatingError } from '@weir/kernel'

/**
 * The lines of a stream, without their ends; a last line without an end is dropped, since it was cut.
 * @throws OperatingError when a line is longer than `maxBytes`: nobody may fill our memory.
 */
export async function* linesOf(
  parts: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<string> {
  let open: Buffer[] = []
  let size = 0
  for await (const part of parts) {
    let rest = Buffer.from(part.buffer, part.byteOffset, part.byteLength)
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
      open.push(rest.subarray(0, end))
      if (size + end > maxBytes) throw tooLong(maxBytes)
      const line = Buffer.concat(open).toString('utf8')
      open = []
      size = 0
      rest = rest.subarray(end + 1)
      if (line !== '') yield line
    }
    size += rest.length
    if (size > maxBytes) throw tooLong(maxBytes)
    if (rest.length > 0) open.push(rest)
  }
}

const tooLong = (maxBytes: number): OperatingError =>
  new OperatingError(`a line of the watch is over ${maxBytes} bytes`)
