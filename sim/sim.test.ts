import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { hunt, plantedBugs } from './planted/planted.ts'
import { runSchedule } from './run.ts'

test('a seed takes the same steps again, and in another process', { timeout: 30_000 }, async () => {
  const [first, again] = [await runSchedule({ seed: '4' }), await runSchedule({ seed: '4' })]
  expect(again.fingerprint).toBe(first.fingerprint)
  expect(again.steps).toBe(first.steps)
  const script = `import { runSchedule } from ${JSON.stringify(fileURLToPath(new URL('./run.ts', import.meta.url)))}
    console.log((await runSchedule({ seed: '4' })).fingerprint)`
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  })
  expect(Number(said)).toBe(first.fingerprint)
})

test.each(['0', '3', '5', '7'])(
  'seed %s keeps every promise',
  { timeout: 30_000 },
  async (seed) => {
    const { violation, steps } = await runSchedule({ seed })
    expect(violation?.message).toBeUndefined()
    expect(steps).toBeGreaterThan(1000)
  },
)

test('planted bugs have names of their own', () => {
  const names = plantedBugs.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  expect(names.length).toBeGreaterThanOrEqual(20)
})

test('a planted bug is found', { timeout: 30_000 }, async () => {
  const bug = plantedBugs.find(({ name }) => name === 'the finalizer is believed to be on')
  if (bug === undefined) throw new Error('no such bug')
  expect((await hunt(bug, 1)).promise).toBe('P6')
})
