import { defineConfig } from 'vitest/config'

const everywhere = ['libs', 'services', 'cli', 'tools', 'e2e', 'sim', 'chaos', 'bench']
const named = (suffix: string): string[] => everywhere.map((folder) => `${folder}/**/*${suffix}.ts`)

/**
 * One runner, five projects by file name: `x.test.ts` is pure, `x.integration.test.ts` needs Postgres,
 * NATS or sockets, `x.e2e.test.ts` needs a cluster, `x.cloud.test.ts`
 * disturbs every call to a slow copy of a cloud for most of an hour, and the tidy test reads the whole tree.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: named('.test'),
          exclude: [
            ...named('.integration.test'),
            ...named('.e2e.test'),
            ...named('.cloud.test'),
            ...named('.lab.test'),
            'tools/tidy.test.ts',
          ],
        },
      },
      {
        test: {
          name: 'integration',
          include: named('.integration.test'),
          globalSetup: ['libs/testing/global-setup.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: named('.e2e.test'),
          globalSetup: ['libs/testing/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'cloud',
          include: named('.cloud.test'),
          testTimeout: 900_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'lab',
          include: named('.lab.test'),
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Each file has namespaces of its own, and mostly waits.
          maxWorkers: 2,
        },
      },
      { test: { name: 'tidy', include: ['tools/tidy.test.ts'] } },
    ],
  },
})
