import type { JsMsg } from '@nats-io/jetstream'
import type { MsgHdrs } from '@nats-io/transport-node'
import type { IncomingMessage } from './bus.ts'

/** A delivered message as its handler sees it. */
export const incomingOf = (message: JsMsg): IncomingMessage => ({
  subject: message.subject,
  body: message.string(),
  headers: headersOf(message.headers),
  streamSequence: message.info.streamSequence,
  deliveries: message.info.deliveryCount,
})

const none: Readonly<Record<string, string>> = {}

/** The publisher's headers; what the server added (`Nats-...`) is its own business. */
export const headersOf = (headers: MsgHdrs | undefined): Readonly<Record<string, string>> => {
  if (headers === undefined) return none
  const given: Record<string, string> = {}
  for (const name of headers.keys()) {
    if (!name.startsWith('Nats-')) given[name] = headers.get(name)
  }
  return given
}
