import { request } from 'node:https'

export interface AdminCredentials {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/**
 * The HTTP status of a GET on the API server as its administrator; 0 when nobody answers within two
 * seconds. For questions of readiness: each call makes its own connection, so no stale one misleads.
 */
export const statusOf = (
  server: string,
  path: string,
  credentials: AdminCredentials,
): Promise<number> =>
  new Promise((settle) => {
    const asked = request(
      `${server}${path}`,
      { ...credentials, agent: false, timeout: 2_000 },
      (response) => {
        response.resume()
        settle(response.statusCode ?? 0)
      },
    )
    asked.once('timeout', () => asked.destroy())
    asked.once('error', () => settle(0))
    asked.once('close', () => settle(0))
    asked.end()
  })
