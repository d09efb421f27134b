import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseSettings, runtimeSettings } from '@weir/runtime'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { z } from 'zod'

const root = resolve(import.meta.dirname, '..')
const services = ['watcher', 'allocator', 'provisioner', 'gc', 'edge', 'api'] as const

interface ComposeService {
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly depends_on?: Readonly<Record<string, unknown>>
  readonly profiles?: readonly string[]
}

const compose = parse(readFileSync(`${root}/docker-compose.yml`, 'utf8'), { merge: true }) as {
  readonly services: Readonly<Record<string, ComposeService>>
}

/** What `docker compose` makes of `${NAME:-default}` and `${NAME:?message}`. */
const substitute = (text: string): string =>
  text.replaceAll(/\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}/g, (_, name: string, fallback?: string) => {
    if (fallback !== undefined) return fallback
    return name === 'WEIR_MASTER_KEY' ? Buffer.alloc(32, 7).toString('base64') : 'x'.repeat(32)
  })

describe('docker-compose.yml', () => {
  test.each(services)('%s accepts its environment', async (name) => {
    const { environment = {} } = compose.services[name] ?? {}
    const values = Object.fromEntries(
      Object.entries(environment).map(([key, value]) => [key, substitute(value)]),
    )
    const { config } = (await import(`../services/${name}/config.ts`)) as { config: z.ZodObject }
    expect(() => parseSettings(config, values)).not.toThrow()
    expect(() => parseSettings(runtimeSettings, values)).not.toThrow()
  })

  test.each(services)(
    '%s runs its own main, has a health check and waits for what it needs',
    (name) => {
      const service = compose.services[name]
      expect(service?.command).toEqual([`services/${name}/main.ts`])
      expect(service?.healthcheck?.test.at(-1)).toContain('/readyz')
      expect(Object.keys(service?.depends_on ?? {})).toContain('nats')
    },
  )

  test('a setting that is missing is named', async () => {
    const { config } = (await import('../services/allocator/config.ts')) as { config: z.ZodObject }
    expect(() => parseSettings(config, {})).toThrow(/DATABASE_URL unset/)
  })

  test('the minicluster comes only with the demo profile', () => {
    expect(compose.services['minicluster']?.profiles).toEqual(['demo'])
  })
})
