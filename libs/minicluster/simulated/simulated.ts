import { type Clock, type Ids, OperatingError, systemClock, systemIds } from '@weir/kernel'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:https'
import { join } from 'node:path'
import { keepCertificates, kubeconfigOf } from './auth/certificates.ts'
import { Rbac } from './auth/rbac.ts'
import { Tokens } from './auth/tokens.ts'
import { bootstrap } from './bootstrap.ts'
import { openCluster } from './cluster.ts'
import { startControllers } from './control/controllers.ts'
import type { Faults } from './faults.ts'
import { FaultPlan } from './http/faulty.ts'
import { handle, type Handling } from './http/handler.ts'
import { Pages } from './http/pages.ts'
import { createApiListener } from './http/server.ts'
import { createSharedLines } from './http/watch.ts'
import { WatchSet } from './http/watch-set.ts'

export interface SimulatedApiServerOptions {
  /** Objects, certificates and the port are kept below this folder; it is made when missing. */
  readonly stateDir: string
  /** TCP port on 127.0.0.1; 0 picks a free one, which `stateDir` then remembers. */
  readonly port: number
  readonly onProgress?: (line: string) => void
  /** The machine's clock and randomness when absent. */
  readonly clock?: Clock
  readonly ids?: Ids
  /** Milliseconds between the bookmarks of watches that allow them; 30 s when absent. */
  readonly bookmarkEveryMs?: number
}

/** A Kubernetes API server in this process, with the controllers that turn Deployments into pods. */
export interface SimulatedApiServer {
  /** `https://127.0.0.1:PORT`. */
  readonly server: string
  /** A kubeconfig (YAML) with an administrator's credentials inline. */
  readonly kubeconfig: string
  /** The CA that signed the server's certificate, PEM. */
  readonly caPem: string
  /** Makes it misbehave, for tests and benches. */
  readonly faults: Faults
  /** Ends every socket and timer; may be called twice. Every acknowledged write is on disk already. */
  stop(): Promise<void>
}

/** Starts the API server alone; hollow nodes join it through its kubeconfig. */
export const startSimulatedApiServer = async (
  options: SimulatedApiServerOptions,
): Promise<SimulatedApiServer> => {
  const { stateDir, clock = systemClock, ids = systemIds } = options
  mkdirSync(stateDir, { recursive: true })
  const certificates = await keepCertificates(stateDir, clock.now())
  const cluster = openCluster({ stateDir, clock, ids })
  bootstrap(cluster)
  const pages = new Pages()
  const watches = new WatchSet()
  const faults = new FaultPlan(cluster.store, pages, watches)
  const handling: Handling = {
    cluster,
    pages,
    watches,
    lines: createSharedLines(),
    tokens: new Tokens(cluster, certificates.tokenKey),
    rbac: new Rbac(cluster),
    server: () => server,
  }
  const listener = createApiListener(certificates, faults, (request, response, misfortune) =>
    handle(handling, request, { response, misfortune }),
  )
  const port = await listen(listener, stateDir, options.port)
  const server = `https://127.0.0.1:${port}`
  const controllers = startControllers(cluster)
  const bookmarks = setInterval(() => watches.bookmark(), options.bookmarkEveryMs ?? 30_000)
  bookmarks.unref()
  options.onProgress?.(`simulated API server on ${server}`)
  let stopped: Promise<void> | undefined
  return {
    server,
    kubeconfig: kubeconfigOf(server, certificates),
    caPem: certificates.ca,
    faults,
    stop: () => {
      stopped ??= (async () => {
        clearInterval(bookmarks)
        controllers.stop()
        await close(listener)
        cluster.store.close()
      })()
      return stopped
    },
  }
}

/** Listens on the port asked for, or on the one this folder had before. */
const listen = async (listener: Server, stateDir: string, port: number): Promise<number> => {
  const path = join(stateDir, 'port')
  const remembered = existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0
  const wanted = port === 0 ? remembered : port
  await new Promise<void>((resolve, reject) => {
    listener.once('error', (cause) =>
      reject(
        new OperatingError(
          `cannot listen on 127.0.0.1:${wanted} for the simulated API server; end what uses that ` +
            `port, or give another one (it is remembered in ${path})`,
          { cause },
        ),
      ),
    )
    listener.listen(wanted, '127.0.0.1', resolve)
  })
  const address = listener.address()
  const actual = address !== null && typeof address === 'object' ? address.port : wanted
  writeFileSync(path, `${actual}\n`)
  return actual
}

const close = (listener: Server): Promise<void> =>
  new Promise((resolve) => {
    listener.close(() => resolve())
    listener.closeAllConnections()
  })
