import { stringify } from 'yaml'

export interface Identity {
  readonly user: string
  /** PEM texts. */
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** A kubeconfig (YAML) for one user of one cluster, with everything inline. */
export const kubeconfigFor = (server: string, { user, ca, cert, key }: Identity): string => {
  const inline = (pem: string): string => Buffer.from(pem).toString('base64')
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'weir', cluster: { server, 'certificate-authority-data': inline(ca) } }],
    users: [
      {
        name: user,
        user: { 'client-certificate-data': inline(cert), 'client-key-data': inline(key) },
      },
    ],
    contexts: [{ name: 'weir', context: { cluster: 'weir', user } }],
    'current-context': 'weir',
  })
}
