import { generateKeyPairSync } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generate } from 'selfsigned'
import { stringify } from 'yaml'

/** The keys of one cluster, PEM; made once and kept in its folder. */
export interface Certificates {
  readonly ca: string
  readonly serverCert: string
  readonly serverKey: string
  readonly adminCert: string
  readonly adminKey: string
  /** Signs service account tokens, PKCS#8. */
  readonly tokenKey: string
}

const tenYears = 10 * 365 * 24 * 3_600_000

/** Reads the cluster's certificates, or makes them: a CA, the server's and an administrator's. */
export const keepCertificates = async (folder: string, now: number): Promise<Certificates> => {
  const path = join(folder, 'certificates.json')
  // What we wrote ourselves, whole or not at all.
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Certificates
  const made = await makeCertificates(now)
  writeFileSync(path, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600 })
  return made
}

const validFrom = (now: number) =>
  ({
    keyType: 'ec',
    algorithm: 'sha256',
    // An hour back, for a client whose clock is a little behind.
    notBeforeDate: new Date(now - 3_600_000),
    notAfterDate: new Date(now + tenYears),
  }) as const

type Subject = Parameters<typeof generate>[0]
type Extensions = NonNullable<Parameters<typeof generate>[1]>['extensions']

const makeCertificates = async (now: number): Promise<Certificates> => {
  const ca = await generate([{ name: 'commonName', value: 'minicluster' }], {
    ...validFrom(now),
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
  })
  const issue = (subject: Subject, extensions: Extensions) =>
    generate(subject, {
      ...validFrom(now),
      ca: { key: ca.private, cert: ca.cert },
      extensions: [
        { name: 'basicConstraints', cA: false },
        { name: 'keyUsage', digitalSignature: true },
        ...(extensions ?? []),
      ],
    })
  const server = await issue(
    [{ name: 'commonName', value: 'kube-apiserver' }],
    [{ name: 'extKeyUsage', serverAuth: true }, serverNames],
  )
  const admin = await issue(
    [
      { shortName: 'O', value: 'system:masters' },
      { name: 'commonName', value: 'kubernetes-admin' },
    ],
    [{ name: 'extKeyUsage', clientAuth: true }],
  )
  const token = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    ca: ca.cert,
    serverCert: server.cert,
    serverKey: server.private,
    adminCert: admin.cert,
    adminKey: admin.private,
    tokenKey: token.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

const serverNames: NonNullable<Extensions>[number] = {
  name: 'subjectAltName',
  altNames: [
    { type: 7, ip: '127.0.0.1' },
    { type: 2, value: 'localhost' },
    { type: 2, value: 'kubernetes.default.svc' },
  ],
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** The administrator's kubeconfig, with everything inline. */
export const kubeconfigOf = (server: string, certificates: Certificates): string =>
  stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'minicluster',
        cluster: { server, 'certificate-authority-data': base64(certificates.ca) },
      },
    ],
    users: [
      {
        name: 'kubernetes-admin',
        user: {
          'client-certificate-data': base64(certificates.adminCert),
          'client-key-data': base64(certificates.adminKey),
        },
      },
    ],
    contexts: [
      {
        name: 'minicluster',
        context: { cluster: 'minicluster', user: 'kubernetes-admin', namespace: 'default' },
      },
    ],
    'current-context': 'minicluster',
  })
