import { inject } from 'vitest'
import type { TestServers } from './global-setup.ts'

/** The servers of this test run, made by the `globalSetup` of the vitest project. */
export const testServers = (): TestServers => {
  const servers: TestServers | undefined = inject('weirTestServers')
  if (servers !== undefined) return servers
  throw new Error(
    'no test servers: a test that needs Postgres or NATS is named x.integration.test.ts or ' +
      'x.e2e.test.ts, and its project in vitest.config.ts has libs/testing/global-setup.ts',
  )
}

/** Asks the run's broker, which starts what is not running yet. */
export const askBroker = async (path: '/postgres' | '/nats-server'): Promise<string> => {
  const response = await fetch(`${testServers().broker}${path}`)
  const text = await response.text()
  if (!response.ok) throw new Error(text)
  return text
}
