import { createPrivateKey, X509Certificate } from 'node:crypto'
import { InvalidInput } from '@weir/contract'
import { parse } from 'yaml'
import { z } from 'zod'

/** All that is needed to speak to one API server, and nothing that can run, read or redirect. */
export interface ClusterCredentials {
  /** `https://HOST[:PORT]`, without path, query or user. */
  readonly server: string
  /** The authority that signed the API server's certificate, PEM. */
  readonly ca: string
  readonly auth: ClusterAuth
}

export type ClusterAuth =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'certificate'; readonly cert: string; readonly key: string }

const maxBytes = 256 * 1024

/**
 * Reads a tenant's kubeconfig. A kubeconfig may name programs to run, files to read and proxies to
 * go through, so only inline values are accepted, and everything else is refused by its field.
 * @param context the context to use; the file's `current-context` when absent.
 * @throws InvalidInput with the path of the first field that is refused, and the fix.
 */
export const parseKubeconfig = (text: string, context?: string): ClusterCredentials => {
  const config = readYaml(text)
  const chosen = context ?? config['current-context']
  if (!chosen) {
    throw new InvalidInput('current-context', 'kubeconfig has no current-context: name a context')
  }
  const contexts = named(config, 'contexts')
  const at = contexts.find((entry) => entry.name === chosen)
  if (!at) throw new InvalidInput('contexts', `kubeconfig has no context "${chosen.slice(0, 100)}"`)
  const link = fields(at.body['context'], `${at.path}.context`)
  const cluster = pick(config, 'clusters', 'cluster', link['cluster'])
  const user = pick(config, 'users', 'user', link['user'])
  return checkCredentials({
    server: parseServer(readCluster(cluster).server, `${cluster.path}.server`),
    ca: readCluster(cluster).ca,
    auth: readUser(user),
  })
}

/** The JSON in which credentials are kept, encrypted, in the vault. */
export const encodeCredentials = ({ server, ca, auth }: ClusterCredentials): string =>
  JSON.stringify(
    auth.kind === 'token'
      ? { server, ca, token: auth.token }
      : { server, ca, cert: auth.cert, key: auth.key },
  )

const stored = z.union([
  z.strictObject({ server: z.string(), ca: z.string(), token: z.string() }),
  z.strictObject({ server: z.string(), ca: z.string(), cert: z.string(), key: z.string() }),
])

/**
 * Reads what `encodeCredentials` wrote, with the same checks as for a kubeconfig.
 * @throws InvalidInput that never repeats a value.
 */
export const decodeCredentials = (json: string): ClusterCredentials => {
  const read = stored.safeParse(parseJson(json))
  if (!read.success) {
    throw new InvalidInput('credentials', 'credentials need {server, ca, token | cert and key}')
  }
  const { server, ca } = read.data
  const auth: ClusterAuth =
    'token' in read.data
      ? { kind: 'token', token: read.data.token }
      : { kind: 'certificate', cert: read.data.cert, key: read.data.key }
  return checkCredentials({ server: parseServer(server, 'server'), ca, auth })
}

const parseJson = (json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

type Fields = Readonly<Record<string, unknown>>
interface Named {
  readonly name: string
  readonly path: string
  readonly body: Fields
}

const readYaml = (text: string): Fields & { readonly 'current-context'?: string } => {
  if (Buffer.byteLength(text) > maxBytes) {
    throw new InvalidInput('kubeconfig', `kubeconfig is over ${maxBytes / 1024} KiB`)
  }
  let document: unknown
  try {
    document = parse(text, { schema: 'core', maxAliasCount: 0, merge: false, logLevel: 'error' })
  } catch {
    throw new InvalidInput('kubeconfig', 'kubeconfig is no plain YAML (no aliases, no tags)')
  }
  const config = fields(document, 'kubeconfig')
  const current = config['current-context']
  if (current !== undefined && typeof current !== 'string') {
    throw new InvalidInput('current-context', 'current-context must be a string')
  }
  return config
}

const fields = (value: unknown, path: string): Fields => {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new InvalidInput(path, `${path} must be a mapping`)
  }
  return value as Fields
}

const named = (config: Fields, list: string): Named[] => {
  const entries = config[list]
  if (!Array.isArray(entries)) throw new InvalidInput(list, `${list} must be a list`)
  return entries.slice(0, 1000).map((entry, index) => {
    const path = `${list}[${index}]`
    const body = fields(entry, path)
    return { name: typeof body['name'] === 'string' ? body['name'] : '', path, body }
  })
}

const pick = (config: Fields, list: string, inner: string, name: unknown): Named => {
  const found = named(config, list).filter((entry) => entry.name === name)
  const [only] = found
  if (only === undefined || found.length > 1) {
    const count = only === undefined ? 'none' : 'more than one'
    throw new InvalidInput(list, `the context needs one entry of ${list} by name, found ${count}`)
  }
  const path = `${only.path}.${inner}`
  return { name: only.name, path, body: fields(only.body[inner], path) }
}

/** Fields of a cluster or user that are refused, and what to do instead. */
const refused: Readonly<Record<string, string>> = {
  'certificate-authority':
    'give certificate-authority-data (`kubectl config view --flatten --raw`)',
  'client-certificate': 'give client-certificate-data (`kubectl config view --flatten --raw`)',
  'client-key': 'give client-key-data (`kubectl config view --flatten --raw`)',
  tokenFile: 'give the token itself in `token`',
  'token-file': 'give the token itself in `token`',
  exec: 'no program is run for a kubeconfig; give a ServiceAccount token in `token`',
  'auth-provider': 'no auth provider is used; give a ServiceAccount token in `token`',
  'proxy-url': 'no proxy is used; give an address that can be reached directly',
  'insecure-skip-tls-verify': 'give certificate-authority-data, so that the server can be verified',
  'tls-server-name': 'give a server address that is in the certificate',
  username: 'give a ServiceAccount token in `token`',
  password: 'give a ServiceAccount token in `token`',
  as: 'no impersonation; give a token of the account itself',
  'as-uid': 'no impersonation; give a token of the account itself',
  'as-groups': 'no impersonation; give a token of the account itself',
  'as-user-extra': 'no impersonation; give a token of the account itself',
}

const harmless = new Set(['extensions', 'disable-compression'])

const onlyFields = (entry: Named, allowed: readonly string[]): void => {
  for (const field of Object.keys(entry.body)) {
    if (allowed.includes(field) || harmless.has(field)) continue
    const fix = Object.hasOwn(refused, field) ? refused[field] : 'remove it'
    const path = `${entry.path}.${field.slice(0, 60)}`
    throw new InvalidInput(path, `${path} is refused: ${fix}`)
  }
}

const text = (entry: Named, field: string, fix: string): string => {
  const value = entry.body[field]
  if (typeof value === 'string' && value !== '') return value
  throw new InvalidInput(`${entry.path}.${field}`, `${entry.path}.${field} is missing: ${fix}`)
}

const readCluster = (entry: Named): { server: string; ca: string } => {
  onlyFields(entry, ['server', 'certificate-authority-data'])
  return {
    server: text(entry, 'server', 'give https://HOST:PORT of the API server'),
    ca: pem(entry, 'certificate-authority-data'),
  }
}

const readUser = (entry: Named): ClusterAuth => {
  onlyFields(entry, ['token', 'client-certificate-data', 'client-key-data'])
  const hasToken = entry.body['token'] !== undefined
  const hasCert = entry.body['client-certificate-data'] !== undefined
  if (hasToken && hasCert) {
    throw new InvalidInput(`${entry.path}.token`, `${entry.path} has a token and a certificate`)
  }
  if (hasToken) return { kind: 'token', token: text(entry, 'token', 'give a ServiceAccount token') }
  return {
    kind: 'certificate',
    cert: pem(entry, 'client-certificate-data'),
    key: pem(entry, 'client-key-data'),
  }
}

const pem = (entry: Named, field: string): string => {
  const value = text(entry, field, 'give it inline, base64 of PEM')
  const decoded = Buffer.from(value, 'base64').toString('utf8')
  if (decoded.trimStart().startsWith('-----BEGIN ')) return decoded
  throw new InvalidInput(`${entry.path}.${field}`, `${entry.path}.${field} is not base64 of PEM`)
}

const parseServer = (value: string, path: string): string => {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url?.protocol !== 'https:') {
    throw new InvalidInput(path, `${path} must be https://HOST:PORT`)
  }
  const extras = url.username || url.password || url.search || url.hash
  if (extras || (url.pathname !== '/' && url.pathname !== '')) {
    throw new InvalidInput(path, `${path} must be https://HOST:PORT with no user, path or query`)
  }
  return url.origin
}

const checkCredentials = (credentials: ClusterCredentials): ClusterCredentials => {
  const { ca, auth } = credentials
  check('certificate-authority-data', () => new X509Certificate(ca))
  if (auth.kind === 'token') {
    if (!/^[\x21-\x7e]{1,16384}$/.test(auth.token)) {
      throw new InvalidInput('token', 'token must be one line of printable characters')
    }
  } else {
    check('client-certificate-data', () => new X509Certificate(auth.cert))
    check('client-key-data', () => createPrivateKey(auth.key))
  }
  return credentials
}

// The cause is left out on purpose: OpenSSL may repeat what it was given.
const check = (field: string, read: () => unknown): void => {
  try {
    read()
  } catch {
    throw new InvalidInput(field, `${field} cannot be read as PEM: give it whole and unencrypted`)
  }
}
