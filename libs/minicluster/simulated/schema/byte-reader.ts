import { badRequest } from '../api-error.ts'

/** One field as it stands on the protobuf wire. */
export interface WireField {
  readonly number: number
  /** The value of a varint or fixed-width field, else 0. */
  readonly varint: bigint
  /** The content of a length-delimited field, else empty. */
  readonly bytes: Buffer
  readonly isBytes: boolean
}

const none = Buffer.alloc(0)

/** Reads a protobuf message field by field; a message that ends too early is refused. */
export class ByteReader {
  readonly #buffer: Buffer
  #at = 0

  constructor(buffer: Buffer) {
    this.#buffer = buffer
  }

  *fields(): Generator<WireField> {
    while (this.#at < this.#buffer.length) {
      const tag = Number(this.#varint())
      const number = tag >> 3
      switch (tag & 7) {
        case 0:
          yield { number, varint: this.#varint(), bytes: none, isBytes: false }
          break
        case 1:
          yield { number, varint: this.#take(8).readBigUInt64LE(), bytes: none, isBytes: false }
          break
        case 2:
          yield { number, varint: 0n, bytes: this.#take(Number(this.#varint())), isBytes: true }
          break
        case 5:
          yield {
            number,
            varint: BigInt(this.#take(4).readUInt32LE()),
            bytes: none,
            isBytes: false,
          }
          break
        default:
          throw badRequest(`a protobuf message has a field of unknown wire type ${tag & 7}`)
      }
    }
  }

  /** The numbers of a packed list. */
  *varints(): Generator<bigint> {
    while (this.#at < this.#buffer.length) yield this.#varint()
  }

  #varint(): bigint {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#buffer[this.#at]
      if (byte === undefined) break
      this.#at += 1
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
    throw badRequest('a protobuf message ends too early')
  }

  #take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#buffer.length) throw badRequest('a protobuf message ends too early')
    const bytes = this.#buffer.subarray(this.#at, end)
    this.#at = end
    return bytes
  }
}
