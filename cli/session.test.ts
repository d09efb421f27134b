import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { exitCodes } from './exit.ts'
import { findPlatform, openSession } from './session.ts'

const platform = {
  api: 'http://127.0.0.1:7080',
  token: 'from-the-file',
  tenant: 'local',
  cluster: '5a8f7a52-0c1e-4a7b-9d1c-3a1f7c2b9e10',
  kubeconfig: '.weir/kubeconfig',
  pid: 1,
}

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-session-'))
  vi.spyOn(process, 'cwd').mockReturnValue(folder)
  for (const name of ['WEIR_API', 'WEIR_TOKEN', 'WEIR_TENANT']) vi.stubEnv(name, '')
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

const leave = (at: string): void => {
  mkdirSync(join(at, '.weir'), { recursive: true })
  writeFileSync(join(at, '.weir/weir.json'), JSON.stringify(platform))
}

describe('the platform', () => {
  test('is found from any folder below', () => {
    leave(folder)
    const below = join(folder, 'a/b')
    mkdirSync(below, { recursive: true })
    expect(findPlatform(below)).toEqual(platform)
  })

  test('is the nearest one', () => {
    leave(folder)
    leave(join(folder, 'a'))
    writeFileSync(join(folder, 'a/.weir/weir.json'), JSON.stringify({ ...platform, pid: 2 }))
    expect(findPlatform(join(folder, 'a'))?.pid).toBe(2)
  })

  test('is none where nothing says so', () => expect(findPlatform(folder)).toBeUndefined())
})

describe('who asks whom is said', () => {
  test('by the file that the platform leaves', () => {
    leave(folder)
    const { api, token, tenant } = platform
    expect(openSession({})).toEqual({ api, token, tenant })
  })

  test('by the environment before that, and by flags before all', () => {
    leave(folder)
    vi.stubEnv('WEIR_TOKEN', 'from-the-environment')
    vi.stubEnv('WEIR_TENANT', 'acme')
    expect(openSession({ tenant: 'globex' })).toEqual({
      api: platform.api,
      token: 'from-the-environment',
      tenant: 'globex',
    })
  })

  test('or the command ends, and says what to do', () => {
    expect(() => openSession({ api: platform.api })).toThrow(
      expect.objectContaining({
        code: exitCodes.unreachable,
        hint: expect.stringContaining('npm start'),
      }),
    )
  })
})
