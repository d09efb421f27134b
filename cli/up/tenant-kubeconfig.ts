import { stringify } from 'yaml'

/** A kubeconfig with a token and everything inline, as the API accepts it. */
export const tenantKubeconfig = (at: { server: string; ca: string; token: string }): string =>
  stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'weir',
    clusters: [
      {
        name: 'weir',
        cluster: {
          server: at.server,
          'certificate-authority-data': Buffer.from(at.ca).toString('base64'),
        },
      },
    ],
    users: [{ name: 'weir', user: { token: at.token } }],
    contexts: [{ name: 'weir', context: { cluster: 'weir', user: 'weir' } }],
  })
