// A provider as an outsider sees it: what exists there, what was changed there, and how it can misbehave.
// Nothing here goes through weir's drivers.

/** Who a thing says it belongs to. */
export interface Owner {
  readonly installation: string
  readonly service: string
  readonly key: string
  readonly epoch: number
}

export interface Thing {
  readonly kind: string
  /** The provider's own name for it. */
  readonly ref: string
  /** Null when it carries no marks. */
  readonly owner: Owner | null
  /** Whether it is the load balancer itself, of which there is one; the rest are its parts. */
  readonly whole: boolean
  /** Ports that it listens on, where the provider tells; of the load balancer itself. */
  readonly ports?: readonly number[]
}

/** A change that the provider took. */
export interface Change {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly effect: 'create' | 'delete'
  readonly kind: string
  readonly ref: string
  /** Null when nobody knows: it carried no marks, or came and went between two looks. */
  readonly owner: Owner | null
  readonly whole: boolean
}

export interface Provider {
  /** The driver's name, and its class `weir.dev/NAME`. */
  readonly name: string
  /** How it is configured by `weir driver create`; null for what needs no account. */
  readonly account: {
    readonly kind: 'octavia' | 'aws-nlb'
    readonly account: string
    readonly settings: Readonly<Record<string, unknown>>
    readonly credentials: Readonly<Record<string, string>> | null
  } | null
  /** Everything that is there now, whoever made it. */
  things(): Promise<readonly Thing[]>
  /** Every change so far, oldest first. */
  changes(): Promise<readonly Change[]>
  /** Looks now and then, for what is seen only while it lasts; called about twice a second. */
  look(): Promise<void>
  /** Ways to misbehave by name; each begins it and answers with its end. */
  readonly faults: Readonly<Record<string, () => Promise<() => Promise<void>>>>
  /** Makes a thing with these marks behind weir's back, for a test of the checker. */
  plant(owner: Owner): Promise<string>
  /** Deletes a load balancer behind weir's back, for a test of the checker. */
  tear(thing: Thing): Promise<void>
  stop(): Promise<void>
}

/** Where the marks of another tool, or none, end up. */
export const ownerOf = (read: (name: string) => string | undefined): Owner | null => {
  const [installation, service, key, epoch] = ['installation', 'service', 'key', 'epoch'].map(read)
  if (!installation || !service || !key || !epoch) return null
  return { installation, service, key, epoch: Number(epoch) }
}
