import type { Clock } from '@weir/kernel'
import type { KubeEvent } from './events.ts'

/** Keeps one Service from flooding a tenant's etcd, by the numbers of client-go's recorder. */
export interface SpamFilter {
  /** The event to tell, perhaps as one of many alike; undefined when it is one too many. */
  pass(event: KubeEvent): KubeEvent | undefined
}

// client-go tools/record/events_cache.go: a bucket of 25 per source and object, one more every 300 s;
// more than 10 alike within 600 s become one.
const burst = 25
const refillMs = 300_000
const alikeMost = 10
const alikeMs = 600_000
const objectsMost = 20_000

interface Bucket {
  tokens: number
  at: number
  /** Distinct messages told per reason, and since when. */
  readonly alike: Map<string, { since: number; readonly keys: Set<string> }>
}

export const createSpamFilter = (clock: Clock): SpamFilter => {
  const buckets = new Map<string, Bucket>()

  const bucketOf = (uid: string): Bucket => {
    const bucket = buckets.get(uid) ?? { tokens: burst, at: clock.now(), alike: new Map() }
    const refilled = Math.floor((clock.now() - bucket.at) / refillMs)
    bucket.tokens = Math.min(burst, bucket.tokens + refilled)
    bucket.at += refilled * refillMs
    // Set again to be the newest: the map's order is the order of use.
    buckets.delete(uid)
    buckets.set(uid, bucket)
    const oldest = buckets.keys().next().value
    if (buckets.size > objectsMost && oldest !== undefined) buckets.delete(oldest)
    return bucket
  }

  const combined = (bucket: Bucket, event: KubeEvent): KubeEvent => {
    const kind = `${event.type}/${event.reason}`
    const before = bucket.alike.get(kind)
    const fresh = before === undefined || clock.now() - before.since >= alikeMs
    const alike = fresh ? { since: clock.now(), keys: new Set<string>() } : before
    bucket.alike.set(kind, alike)
    alike.keys.add(event.key)
    if (alike.keys.size <= alikeMost) return event
    const message = `(combined from similar events): ${event.message}`
    return {
      ...event,
      message,
      key: `combined/${kind}/${alike.since}`,
      at: alike.since,
      refresh: true,
    }
  }

  return {
    pass: (event) => {
      const bucket = bucketOf(event.about.uid)
      if (bucket.tokens < 1) return undefined
      bucket.tokens -= 1
      return combined(bucket, event)
    },
  }
}
