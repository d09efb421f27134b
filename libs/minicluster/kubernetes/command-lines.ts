import type { CertificateFiles } from './certificates.ts'

/**
 * The flags of the three programs, each with the reason when it is not the obvious one. Together they
 * make a control plane that is upstream's own in all it answers, and small beside it: nothing listens
 * but the API server, and etcd is reached by a socket file that only its owner can open.
 */
export interface ControlPlane {
  /** The API server's port on 127.0.0.1. */
  readonly port: number
  readonly etcdDir: string
  readonly certificates: CertificateFiles
  readonly controllersKubeconfig: string
  readonly serviceCidrs: string
  readonly unsafeNoFsync: boolean
}

/** Socket files in the folder that all three programs run in; etcd wants the form `host:port`. */
const ETCD_CLIENTS = 'unix://etcd:1'
const ETCD_PEERS = 'unix://etcd:2'

export const etcdFlags = ({ etcdDir, unsafeNoFsync }: ControlPlane): string[] => [
  '--name=weir',
  `--data-dir=${etcdDir}`,
  `--listen-client-urls=${ETCD_CLIENTS}`,
  `--advertise-client-urls=${ETCD_CLIENTS}`,
  `--listen-peer-urls=${ETCD_PEERS}`,
  `--initial-advertise-peer-urls=${ETCD_PEERS}`,
  `--initial-cluster=weir=${ETCD_PEERS}`,
  '--log-level=warn',
  ...(unsafeNoFsync ? ['--unsafe-no-fsync'] : []),
]

export const apiServerFlags = ({ port, certificates, serviceCidrs }: ControlPlane): string[] => [
  `--etcd-servers=${ETCD_CLIENTS}`,
  '--bind-address=127.0.0.1',
  `--secure-port=${port}`,
  // The Endpoints of `kubernetes` may not hold a loopback address, so nobody writes them; and an
  // address is named because without one a machine that is offline has no default to pick.
  '--endpoint-reconciler-type=none',
  '--advertise-address=192.0.2.1',
  `--service-cluster-ip-range=${serviceCidrs}`,
  `--tls-cert-file=${certificates.serverCert}`,
  `--tls-private-key-file=${certificates.serverKey}`,
  `--client-ca-file=${certificates.ca}`,
  '--service-account-issuer=https://kubernetes.default.svc',
  `--service-account-key-file=${certificates.tokenKey}`,
  `--service-account-signing-key-file=${certificates.tokenKey}`,
  '--authorization-mode=RBAC',
  '--profiling=false',
]

/**
 * What a tenant's cluster runs, less what needs a cloud, a kubelet or volumes. No service-lb: giving
 * load balancers is weir's part. Hollow nodes renew their Leases, so node-lifecycle leaves their pods
 * alone; a node that stops is NotReady after 40 s, as everywhere.
 */
const CONTROLLERS = [
  'serviceaccount-controller',
  'serviceaccount-token-controller',
  'root-ca-certificate-publisher-controller',
  'clusterrole-aggregation-controller',
  'namespace-controller',
  'garbage-collector-controller',
  'pod-garbage-collector-controller',
  'deployment-controller',
  'replicaset-controller',
  'replicationcontroller-controller',
  'statefulset-controller',
  'daemonset-controller',
  'job-controller',
  'cronjob-controller',
  'ttl-after-finished-controller',
  'disruption-controller',
  'resourcequota-controller',
  'endpoints-controller',
  'endpointslice-controller',
  'service-cidr-controller',
  'node-lifecycle-controller',
  'taint-eviction-controller',
]

export const controllerManagerFlags = (plane: ControlPlane): string[] => [
  `--kubeconfig=${plane.controllersKubeconfig}`,
  `--controllers=${CONTROLLERS.join(',')}`,
  // Each controller acts as its own service account, as RBAC's default roles expect.
  '--use-service-account-credentials=true',
  `--service-account-private-key-file=${plane.certificates.tokenKey}`,
  `--root-ca-file=${plane.certificates.ca}`,
  // One of a kind: an election would only cost 15 s after a crash.
  '--leader-elect=false',
  '--secure-port=0',
  // The defaults (20 and 30) are for a server shared with many; here they would be what is measured.
  '--kube-api-qps=500',
  '--kube-api-burst=1000',
  '--profiling=false',
]
