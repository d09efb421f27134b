import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generate } from 'selfsigned'

/** Where each key and certificate of a control plane is, PEM files that only their owner can read. */
export interface CertificateFiles {
  readonly ca: string
  readonly serverCert: string
  readonly serverKey: string
  readonly adminCert: string
  readonly adminKey: string
  readonly controllersCert: string
  readonly controllersKey: string
  /** Signs and checks the tokens of service accounts. */
  readonly tokenKey: string
}

const FILES = {
  ca: 'ca.crt',
  serverCert: 'apiserver.crt',
  serverKey: 'apiserver.key',
  adminCert: 'admin.crt',
  adminKey: 'admin.key',
  controllersCert: 'controller-manager.crt',
  controllersKey: 'controller-manager.key',
  tokenKey: 'service-account.key',
} as const satisfies CertificateFiles

const HOUR_MS = 3_600_000
const TEN_YEARS_MS = 10 * 365 * 24 * HOUR_MS

/**
 * The certificates in `folder`, made when missing: all of them or none, so that whoever has the CA's
 * certificate can check every other. The CA's own key is not kept: nothing is signed later.
 */
export const keepCertificates = async (folder: string, now: number): Promise<CertificateFiles> => {
  if (!existsSync(folder)) {
    const draft = `${folder}.new`
    rmSync(draft, { recursive: true, force: true })
    mkdirSync(draft, { recursive: true, mode: 0o700 })
    const made = await makeCertificates(now)
    for (const [name, file] of Object.entries(FILES)) {
      writeFileSync(join(draft, file), made[name as keyof CertificateFiles], { mode: 0o600 })
    }
    renameSync(draft, folder)
  }
  const at = (name: keyof CertificateFiles): string => join(folder, FILES[name])
  return {
    ca: at('ca'),
    serverCert: at('serverCert'),
    serverKey: at('serverKey'),
    adminCert: at('adminCert'),
    adminKey: at('adminKey'),
    controllersCert: at('controllersCert'),
    controllersKey: at('controllersKey'),
    tokenKey: at('tokenKey'),
  }
}

/** The same record with each file's content in place of its path. */
export const readCertificates = (files: CertificateFiles): CertificateFiles => {
  const contents = Object.entries(files).map(([name, path]) => [name, readFileSync(path, 'utf8')])
  return { ...files, ...Object.fromEntries(contents) }
}

type Subject = { shortName?: string; name?: string; value: string }[]

interface Authority {
  readonly key: string
  readonly cert: string
  readonly life: Life
}

type Life = ReturnType<typeof lifeFrom>

const lifeFrom = (now: number) =>
  ({
    keyType: 'ec',
    algorithm: 'sha256',
    // An hour back, for a client whose clock is a little behind.
    notBeforeDate: new Date(now - HOUR_MS),
    notAfterDate: new Date(now + TEN_YEARS_MS),
  }) as const

const makeCertificates = async (now: number): Promise<CertificateFiles> => {
  const authority = await makeAuthority(lifeFrom(now))
  const server = await serverCertificate(authority)
  const admin = await clientCertificate(authority, [
    { shortName: 'O', value: 'system:masters' },
    { name: 'commonName', value: 'kubernetes-admin' },
  ])
  const controllers = await clientCertificate(authority, [
    // RBAC knows the controllers by this name.
    { name: 'commonName', value: 'system:kube-controller-manager' },
  ])
  const token = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    ca: authority.cert,
    serverCert: server.cert,
    serverKey: server.private,
    adminCert: admin.cert,
    adminKey: admin.private,
    controllersCert: controllers.cert,
    controllersKey: controllers.private,
    // The API server takes the public half from this form, and not from PKCS#8.
    tokenKey: token.privateKey.export({ type: 'sec1', format: 'pem' }).toString(),
  }
}

const makeAuthority = async (life: Life): Promise<Authority> => {
  const { private: key, cert } = await generate(
    [{ name: 'commonName', value: 'weir minicluster' }],
    {
      ...life,
      extensions: [
        { name: 'basicConstraints', cA: true, critical: true },
        {
          name: 'keyUsage',
          keyCertSign: true,
          cRLSign: true,
          digitalSignature: true,
          critical: true,
        },
      ],
    },
  )
  return { key, cert, life }
}

const serverCertificate = ({ key, cert, life }: Authority): ReturnType<typeof generate> =>
  generate([{ name: 'commonName', value: 'kube-apiserver' }], {
    ...life,
    ca: { key, cert },
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 7, ip: '127.0.0.1' },
          { type: 2, value: 'localhost' },
          { type: 2, value: 'kubernetes.default.svc' },
        ],
      },
    ],
  })

const clientCertificate = (
  { key, cert, life }: Authority,
  subject: Subject,
): ReturnType<typeof generate> =>
  generate(subject, {
    ...life,
    ca: { key, cert },
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', clientAuth: true },
    ],
  })
