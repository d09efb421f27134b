import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  banSlips,
  domainSlips,
  eventDocSlips,
  layerSlips,
  manifestSlips,
  shapeSlips,
  worldSlips,
  type Manifest,
  type Slip,
} from './tidy/rules.ts'
import { listFiles, readSource, root, unitOf, type SourceFile } from './tidy/source.ts'

const files = listFiles(/\.(ts|js)$/).map(readSource)
const rules: Readonly<Record<string, (file: SourceFile) => Slip[]>> = {
  'imports follow the layers': layerSlips,
  'each outside world has one importer': worldSlips,
  'domains are pure': domainSlips,
  'banned calls stay in their one home': banSlips,
  'files, functions, lines and names keep their measure': shapeSlips,
  'every event has a doc comment': eventDocSlips,
}

describe('the tree', () => {
  for (const [rule, check] of Object.entries(rules)) {
    test(rule, () => expect(files.flatMap(check)).toEqual([]))
  }

  const manifests = listFiles(/^(libs|services)\/[^/]+\/package\.json$|^cli\/package\.json$/)
  test.each(manifests)('%s declares what is imported, and nothing else', (path) => {
    const manifest = JSON.parse(readFileSync(join(root, path), 'utf8')) as Manifest
    const unit = unitOf(path)
    const own = files.filter((file) => unitOf(file.path) === unit)
    expect(manifestSlips(unit, manifest, own)).toEqual([])
  })

  const folders = listFiles(/^(libs|services)\/[^/]+\/package\.json$|^cli\/package\.json$/)
  test.each(folders)('the folder of %s has a README', (path) => {
    expect(existsSync(join(root, unitOf(path), 'README.md'))).toBe(true)
  })
})

const planted = (path: string, text: string): SourceFile => ({
  path,
  text,
  lines: text.split('\n'),
})

describe('a planted slip is found', () => {
  test.each<[string, (file: SourceFile) => Slip[], SourceFile]>([
    [
      'a service imports another',
      layerSlips,
      planted('services/gc/handle.ts', "import { x } from '@weir/edge'\n"),
    ],
    [
      'a lib imports its sibling',
      layerSlips,
      planted('libs/bus/index.ts', "import { x } from '@weir/eventlog'\n"),
    ],
    [
      'a path reaches into another package',
      layerSlips,
      planted('services/gc/a.ts', "import { x } from '../../libs/bus/bus.ts'\n"),
    ],
    [
      'contract imports ours',
      layerSlips,
      planted('libs/contract/a.ts', "import { x } from '@weir/kernel'\n"),
    ],
    [
      'pg outside the event log',
      worldSlips,
      planted('services/gc/handle.ts', "import pg from 'pg'\n"),
    ],
    [
      'a domain imports a package',
      domainSlips,
      planted('services/gc/domain/a.ts', "import { z } from 'zod'\n"),
    ],
    [
      'a domain imports node',
      domainSlips,
      planted('services/gc/domain/a.ts', "import fs from 'node:fs'\n"),
    ],
    ['a domain waits', domainSlips, planted('services/gc/domain/a.ts', 'await x\n')],
    ['a clock is read', banSlips, planted('services/gc/handle.ts', 'const t = Date.now()\n')],
    ['a dice is thrown', banSlips, planted('services/gc/handle.ts', 'const t = Math.random()\n')],
    [
      'the environment is read',
      banSlips,
      planted('services/gc/handle.ts', 'const t = process.env.X\n'),
    ],
    ['something is printed', banSlips, planted('services/gc/handle.ts', 'console.log(1)\n')],
    ['a file is too long', shapeSlips, planted('services/gc/handle.ts', 'x\n'.repeat(301))],
    [
      'a function is too long',
      shapeSlips,
      planted('libs/x/a.ts', `const f = () => {\n${'  x\n'.repeat(101)}}\n`),
    ],
    ['a name says nothing', shapeSlips, planted('services/gc/utils.ts', 'x\n')],
    [
      'an event has no comment',
      eventDocSlips,
      planted('libs/contract/lb-events.ts', '\n  Bare: z.object({}),\n'),
    ],
  ])('%s', (_what, rule, file) => expect(rule(file)).not.toEqual([]))

  test('a dependency is used and not declared, or declared and not used', () => {
    const file = planted('libs/x/a.ts', "import { z } from 'zod'\n")
    expect(
      manifestSlips('libs/x', { name: '@weir/x', dependencies: { pg: '1' } }, [file]),
    ).toHaveLength(2)
  })
})
