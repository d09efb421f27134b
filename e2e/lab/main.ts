// npm run lab: the lab's tests, with vitest's words after it. npm run lab -- shell: the platform of the lab, left up
// for a person until Ctrl-C.
import { parseCLI, startVitest, type Reporter } from 'vitest/node'
import { countScenarios } from './count-scenarios.ts'
import { openShell } from './shell.ts'

/** Prints, after vitest's own words, how many scenarios passed, by family and protocol. */
const count: Reporter = {
  onTestRunEnd: (modules) => {
    const passed = modules.flatMap((each) => [...each.children.allTests('passed')])
    process.stdout.write(`${countScenarios(passed.map(({ fullName }) => fullName))}\n`)
  },
}

const runTests = async (words: readonly string[]): Promise<void> => {
  const { filter, options } = parseCLI(['vitest', 'run', ...words])
  const lab = { project: ['lab'], watch: false, reporters: ['default', count] }
  const vitest = await startVitest('test', [...filter], { ...options, ...lab })
  await vitest.close()
}

const usage = `npm run lab [-- FILE... [-t TITLE]]   the lab's tests, all or some, with vitest's options
npm run lab -- shell                  the lab's platform, left up until Ctrl-C
They need nft, ip and bird, and root or a user namespace: unshare -Urnm npm run lab`

const words = process.argv.slice(2)
if (words[0] === '--help') process.stdout.write(`${usage}\n`)
else if (words[0] === 'shell') process.exitCode = await openShell()
else await runTests(words)
process.exit()
