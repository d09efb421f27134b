import {
  cidr,
  driverName,
  ingress as ingressEntry,
  intentHash,
  loadBalancerIntent,
  protocol,
  type Cidr,
  type DriverName,
  type Ingress,
  type LoadBalancerIntent,
  type ServiceUid,
} from '@weir/contract'
import type { KubeService } from './objects.ts'
import { cleanupFinalizer } from './finalizers.ts'
import {
  annotationField,
  ownPrefix,
  proxyProtocol,
  quoted,
  reasonAnnotation,
  requestedAddress,
  requestedPool,
  requestedSharing,
  sourceRangesAnnotation,
  unknownOwn,
  type Problem,
} from './knobs.ts'

/** A Service as weir sees it: what it wants, and what we have written on it. */
export interface SeenService {
  readonly uid: ServiceUid
  readonly namespace: string
  readonly name: string
  readonly resourceVersion: string
  /** It asks for a load balancer of ours; says nothing about deletion. */
  readonly wanted: boolean
  readonly deleting: boolean
  /** Our own finalizer is on it. */
  readonly held: boolean
  readonly intent: LoadBalancerIntent
  readonly intentHash: string
  /** What its status shows, as the API server defaults it; entries that are not ours to write too. */
  readonly ingress: readonly ShownIngress[]
  /** The reason annotation, null when absent. */
  readonly reason: string | null
  readonly conditions: readonly Condition[]
}

export type ShownIngress = Ingress | { readonly foreign: string }

export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
  readonly lastTransitionTime: string
}

export interface WantedRule {
  /** Serve Services without a class, as the cluster's default implementation. */
  readonly defaultClass: boolean
}

/** Reads a Service. Total: what it can't use it reports in `intent.invalid`. */
export const seeService = (service: KubeService, rule: WantedRule): SeenService => {
  const { metadata, spec } = service
  const intent = intentOf(service)
  const annotations = metadata.annotations ?? {}
  return {
    uid: metadata.uid,
    namespace: metadata.namespace,
    name: metadata.name,
    resourceVersion: metadata.resourceVersion,
    wanted: spec.type === 'LoadBalancer' && isOurClass(spec.loadBalancerClass ?? undefined, rule),
    deleting: (metadata.deletionTimestamp ?? '') !== '',
    held: (metadata.finalizers ?? []).includes(cleanupFinalizer),
    intent,
    intentHash: intentHash(intent),
    ingress: (service.status?.loadBalancer?.ingress ?? []).map(shown),
    reason: annotations[reasonAnnotation] ?? null,
    conditions: (service.status?.conditions ?? []).map((at) => ({
      type: at.type,
      status: at.status,
      reason: at.reason ?? '',
      message: at.message ?? '',
      lastTransitionTime: at.lastTransitionTime ?? '',
    })),
  }
}

/** A class under our prefix is ours in every mode; a foreign one never is. */
const isOurClass = (name: string | undefined, rule: WantedRule): boolean =>
  name === undefined ? rule.defaultClass : name.startsWith(ownPrefix)

/** An address or a name as we write them; both at once, or neither, is somebody else's doing. */
const shown = ({
  ip,
  hostname,
  ipMode,
}: {
  readonly ip?: string | null | undefined
  readonly hostname?: string | null | undefined
  readonly ipMode?: string | null | undefined
}): ShownIngress => {
  const foreign = { foreign: hostname || ip || '' }
  if (ip && hostname) return foreign
  // The API server shows VIP where no mode was written with an address, and none with a name.
  const read = ingressEntry.safeParse(hostname ? { hostname } : { ip, ipMode: ipMode ?? 'VIP' })
  return read.success ? read.data : foreign
}

/** The normalised wish of a Service: sorted, defaulted, without what does not matter to us. */
export const intentOf = ({ metadata, spec }: KubeService): LoadBalancerIntent => {
  const problems: Problem[] = []
  const annotations = metadata.annotations ?? {}
  const local = spec.externalTrafficPolicy === 'Local'
  const draft = {
    ports: portsOf(spec.ports ?? [], problems),
    externalTrafficPolicy: local ? 'Local' : 'Cluster',
    healthCheckNodePort: local ? spec.healthCheckNodePort || null : null,
    sourceRanges: sourceRanges(spec.loadBalancerSourceRanges ?? [], annotations, problems),
    sessionAffinity: affinityOf(spec),
    ipFamilies: (spec.ipFamilies ?? []).length > 0 ? spec.ipFamilies : ['IPv4'],
    requestedAddress: requestedAddress(spec.loadBalancerIP ?? '', annotations, problems),
    requestedPool: requestedPool(annotations, problems),
    ...requestedSharing(annotations, problems),
    ...requestedDriver(spec.loadBalancerClass ?? '', problems),
    proxyProtocol: proxyProtocol(annotations, problems),
    invalid: [] as Problem[],
  }
  problems.push(...unknownOwn(annotations))
  const read = loadBalancerIntent.safeParse({ ...draft, invalid: problems.slice(0, 20) })
  if (read.success) return read.data
  const first = read.error.issues[0]
  const problem = `weir cannot read it: ${first?.message ?? 'unknown'}`.slice(0, 500)
  return loadBalancerIntent.parse({
    ...draft,
    ports: [],
    healthCheckNodePort: null,
    sourceRanges: [],
    sessionAffinity: { kind: 'None' },
    ipFamilies: ['IPv4'],
    invalid: [{ field: `spec.${(first?.path ?? []).join('.')}`, problem }],
  })
}

type Ports = NonNullable<KubeService['spec']['ports']>

const portsOf = (ports: Ports, problems: Problem[]): unknown[] =>
  ports
    .flatMap((at) => {
      const proto = protocol.safeParse(at.protocol ?? 'TCP')
      if (!proto.success) {
        const field = `spec.ports[${at.name ?? at.port}].protocol`
        problems.push({ field, problem: `${quoted(at.protocol ?? '')} is not TCP, UDP or SCTP` })
        return []
      }
      // A nodePort of 0 is the API's way of saying that the Service has none.
      const nodePort = at.nodePort || null
      return [{ name: at.name ?? '', protocol: proto.data, port: at.port, nodePort }]
    })
    .sort((a, b) =>
      a.protocol === b.protocol ? a.port - b.port : a.protocol < b.protocol ? -1 : 1,
    )

/** `weir.dev/NAME` names a driver; missing without a class of ours, where the cluster's default serves. */
const requestedDriver = (
  className: string,
  problems: Problem[],
): { readonly requestedDriver?: DriverName } => {
  if (!className.startsWith(ownPrefix)) return {}
  const name = driverName.safeParse(className.slice(ownPrefix.length))
  if (name.success) return { requestedDriver: name.data }
  const problem = `${quoted(className)} names no driver; write ${ownPrefix}NAME, such as ${ownPrefix}edge`
  problems.push({ field: 'spec.loadBalancerClass', problem })
  return {}
}

const affinityOf = (spec: KubeService['spec']): unknown =>
  spec.sessionAffinity === 'ClientIP'
    ? {
        kind: 'ClientIP',
        timeoutSeconds: spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800,
      }
    : { kind: 'None' }

/** The field wins over the annotation; padding is allowed; one bad entry closes the whole list. */
const sourceRanges = (
  fromSpec: readonly string[],
  annotations: Readonly<Record<string, string>>,
  problems: Problem[],
): Cidr[] => {
  const fromAnnotation = annotations[sourceRangesAnnotation]?.trim() ?? ''
  const [field, entries] =
    fromSpec.length > 0 || fromAnnotation === ''
      ? ['spec.loadBalancerSourceRanges', fromSpec]
      : [annotationField(sourceRangesAnnotation), fromAnnotation.split(',')]
  if (entries.length > 1000) {
    problems.push({ field, problem: `has ${entries.length} entries; at most 1000 are served` })
    return []
  }
  const read = entries.flatMap((entry) => {
    const block = cidr.safeParse(entry.trim())
    if (block.success) return [block.data]
    const why = block.error.issues[0]?.message ?? `${quoted(entry)} is not a CIDR`
    problems.push({ field, problem: why.slice(0, 500) })
    return []
  })
  return [...new Set(read)].sort()
}
