// A stand-in for an OpenTelemetry collector: takes OTLP over HTTP as protobuf and keeps what it was sent.
// The few fields read here are numbered in opentelemetry/proto/trace/v1/trace.proto.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface CollectedSpan {
  readonly service: string
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  /** Empty for the first span of a trace. */
  readonly parentSpanId: string
  readonly attributes: Readonly<Record<string, string>>
}

export interface Collector {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly endpoint: string
  /** What was sent so far. */
  spans(): readonly CollectedSpan[]
  close(): Promise<void>
}

export const startCollector = async (): Promise<Collector> => {
  const spans: CollectedSpan[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      spans.push(...readTraces(Buffer.concat(chunks)))
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    spans: () => spans,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

interface Field {
  readonly number: number
  /** Of a field with a length; empty for numbers, which nobody reads here. */
  readonly bytes: Buffer
}

/** The fields of one protobuf message, by their wire types: varint, 64 bits, length, 32 bits. */
const fieldsOf = (message: Buffer): readonly Field[] => {
  const fields: Field[] = []
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 1; ; shift *= 128) {
      const byte = message[at++] ?? 0
      value += (byte & 127) * shift
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const tag = varint()
    const number = Math.floor(tag / 8)
    const wire = tag % 8
    let length = 0
    if (wire === 0) varint()
    else length = wire === 2 ? varint() : wire === 1 ? 8 : 4
    fields.push({ number, bytes: message.subarray(at, at + length) })
    at += length
  }
  return fields
}

const all = (message: Buffer, number: number): readonly Buffer[] =>
  fieldsOf(message).flatMap((field) => (field.number === number ? [field.bytes] : []))
const one = (message: Buffer, number: number): Buffer => all(message, number)[0] ?? Buffer.alloc(0)

const attributesOf = (pairs: readonly Buffer[]): Record<string, string> =>
  Object.fromEntries(
    pairs.map((pair) => [one(pair, 1).toString(), one(one(pair, 2), 1).toString()]),
  )

const readTraces = (body: Buffer): readonly CollectedSpan[] =>
  all(body, 1).flatMap((resourceSpans) => {
    const resource = attributesOf(all(one(resourceSpans, 1), 1))
    return all(resourceSpans, 2)
      .flatMap((scope) => all(scope, 2))
      .map((span) => ({
        service: resource['service.name'] ?? '',
        name: one(span, 5).toString(),
        traceId: one(span, 1).toString('hex'),
        spanId: one(span, 2).toString('hex'),
        parentSpanId: one(span, 4).toString('hex'),
        attributes: attributesOf(all(span, 9)),
      }))
  })
