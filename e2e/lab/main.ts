// npm run lab: the lab's tests, with vitest's words after it. npm run lab -- shell: the platform of the lab, left up
// for a person until Ctrl-C.
import {
  BaseSequencer,
  parseCLI,
  startVitest,
  type Reporter,
  type TestSpecification,
} from 'vitest/node'
import { openNamespace } from '../../services/edge/rig/lab.ts'
import { countScenarios } from './count-scenarios.ts'
import { openShell } from './shell.ts'

/** Prints, after vitest's own words, how many scenarios passed, by family and protocol. */
const count: Reporter = {
  onTestRunEnd: (modules) => {
    const passed = modules.flatMap((each) => [...each.children.allTests('passed')])
    process.stdout.write(`${countScenarios(passed.map(({ fullName }) => fullName))}\n`)
  },
}

/** The platform's scenarios take as long as all else, which is done beside them: they have to begin first. */
class PlatformFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isPlatform = ({ moduleId }: TestSpecification) => moduleId.includes('kernel-platform')
    return [...sorted.filter(isPlatform), ...sorted.filter((file) => !isPlatform(file))]
  }
}

const runTests = async (words: readonly string[]): Promise<void> => {
  const { filter, options } = parseCLI(['vitest', 'run', ...words])
  const sequence = { sequencer: PlatformFirst }
  const lab = { project: ['lab'], watch: false, reporters: ['default', count], sequence }
  const vitest = await startVitest('test', [...filter], { ...options, ...lab })
  await vitest.close()
}

const usage = `npm run lab [-- FILE... [-t TITLE]]   the lab's tests, all or some, with vitest's options
npm run lab -- shell                  the lab's platform, left up until Ctrl-C
They need nft, ip and bird, and root or a user namespace: unshare -Urnm npm run lab`

const words = process.argv.slice(2)
if (words[0] === '--help') process.stdout.write(`${usage}\n`)
else {
  await openNamespace()
  if (words[0] === 'shell') process.exitCode = await openShell()
  else await runTests(words)
}
process.exit()
