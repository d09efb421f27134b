import type { Finding as Found, LeftFinalizer, StrayClaim, Suspect, Verdict } from '@weir/drivers'

/** Something that exists without a reason, and what becomes of it. */
export interface Finding {
  readonly kind: Verdict | 'held-without-reason' | 'finalizer-left'
  readonly driver: string | null
  /** The provider's word for what it is. */
  readonly what: string
  readonly ref: string
  readonly tenant: string | null
  readonly service: string | null
  readonly key: string | null
  readonly epoch: number | null
  readonly problem: string
  /** What proves it: an event of the log, and what it said. */
  readonly evidence: string
  /**
   * `seen` in this scan only; `condemned` in the log, grace runs; `due` when it may be deleted; `deleting`
   * once that is intended; null for what gc never deletes.
   */
  readonly state: 'seen' | 'condemned' | 'due' | 'deleting' | null
  /** RFC 3339: when it was first seen as an orphan, and when it may be deleted. */
  readonly firstSeen: string | null
  readonly dueAt: string | null
  /** Id of its OrphanCondemned event, which is what an order to delete names. */
  readonly condemned: string | null
}

const problems: Readonly<Record<Verdict, string>> = {
  live: 'it must exist',
  superseded: 'an earlier incarnation of what must exist; nobody needs it any more',
  orphan: 'its reason to exist is gone; gc removes it after two scans and a grace',
  'no-intent':
    'it carries our marks but the log knows no intent: never deleted by itself, look at it',
  foreign: 'never touched',
  unmarked: 'never touched',
}

const unjudged = { state: null, firstSeen: null, dueAt: null, condemned: null } as const

/** `at` is when it was judged, by the log's clock; the suspect is what the log knows of it. */
export const findingOf = (
  driver: string,
  { item, verdict, evidence }: Found,
  known: { readonly suspect: Suspect | undefined; readonly graceMs: number; readonly at: number },
): Finding => ({
  kind: verdict,
  driver,
  what: item.kind,
  ref: item.ref,
  tenant: item.marks?.tenant ?? null,
  service: item.marks?.service ?? null,
  key: item.marks?.key ?? null,
  epoch: item.marks?.epoch ?? null,
  problem: problems[verdict],
  evidence,
  ...(verdict === 'orphan' || verdict === 'superseded' ? stateOf(known) : unjudged),
})

const stateOf = ({
  suspect,
  graceMs,
  at,
}: Parameters<typeof findingOf>[2]): Pick<
  Finding,
  'state' | 'firstSeen' | 'dueAt' | 'condemned'
> => {
  if (suspect === undefined) return { ...unjudged, state: 'seen' }
  const dueAt = suspect.since + graceMs
  const waiting = at >= dueAt ? 'due' : 'condemned'
  return {
    state: suspect.deleting ? 'deleting' : waiting,
    firstSeen: new Date(suspect.since).toISOString(),
    dueAt: new Date(dueAt).toISOString(),
    condemned: suspect.condemned,
  }
}

/** A thing that was deleted and is read until its absence is certain. */
export const suspectFinding = (suspect: Suspect): Finding => ({
  kind: 'orphan',
  driver: suspect.driver,
  what: suspect.kind,
  ref: suspect.ref,
  tenant: suspect.tenant,
  service: suspect.service,
  key: suspect.key,
  epoch: suspect.epoch,
  problem: 'it was deleted and is not listed any more; two reads will confirm that',
  evidence: suspect.evidence,
  state: 'deleting',
  firstSeen: new Date(suspect.since).toISOString(),
  dueAt: null,
  condemned: suspect.condemned,
})

const unlisted = { driver: null, key: null, epoch: null, ...unjudged } as const

export const strayFinding = ({ scope, key, tenant, holder }: StrayClaim): Finding => ({
  ...unlisted,
  kind: 'held-without-reason',
  what: scope,
  ref: `${scope} ${key}`,
  tenant,
  service: holder,
  problem: `the ${scope} is held although its holder's story is over; the allocator is asked to let go of it`,
  evidence: `the story of ${holder} holds nothing any more`,
})

/** Names the line that takes our finalizers off and no others. */
export const finalizerFinding = (left: LeftFinalizer): Finding => {
  const { tenant, service, cluster, namespace, name, since } = left
  const where = namespace === null ? `Service ${service}` : `Service ${namespace}/${name ?? ''}`
  return {
    ...unlisted,
    kind: 'finalizer-left',
    what: 'finalizer',
    ref: `finalizer of ${where}`,
    tenant,
    service,
    problem:
      namespace === null || name === null
        ? `our finalizer was put on ${where} and no load balancer ever followed; look at it`
        : `our finalizers may hold up ${where} of cluster ${cluster ?? ''}: ${stripLine(namespace, name)}`,
    evidence: `no FinalizerRemoved since ${new Date(since).toISOString()}`,
  }
}

const ours = '["weir.dev/load-balancer-cleanup","service.kubernetes.io/load-balancer-cleanup"]'

const stripLine = (namespace: string, name: string): string =>
  `kubectl -n ${namespace} get service ${name} -o json | ` +
  `jq '.metadata.finalizers -= ${ours}' | kubectl replace -f -`
