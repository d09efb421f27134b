import { createHash } from 'node:crypto'
import { linkSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@weir/kernel'
import { GO_PROGRAM } from './catalog.ts'
import { runTool, type ToolRun } from './run-tool.ts'

/** What the build depends on: another main.go or another pinned module is another program. */
export const goSourceHash = (sourceDir: string): string => {
  const hash = createHash('sha256')
  for (const file of ['go.mod', 'go.sum', 'main.go']) {
    hash.update(`${file}\n`).update(readFileSync(join(sourceDir, file)))
  }
  return hash.digest('hex').slice(0, 12)
}

export interface GoBuild {
  /** The folder of main.go, go.mod and go.sum. */
  readonly sourceDir: string
  /** Gets the program and a link to it under each component's name. */
  readonly folder: string
  readonly env: ToolRun['env']
  readonly onProgress: (line: string) => void
}

const REPORT_EVERY_MS = 20_000

/** Builds the Kubernetes program from its pinned modules; go checks each against go.sum. */
export const buildKubernetes = async (build: GoBuild): Promise<void> => {
  const program = join(build.folder, GO_PROGRAM.file)
  const started = systemClock.now()
  let compiled = 0
  const report = setInterval(() => {
    const seconds = Math.round((systemClock.now() - started) / 1000)
    build.onProgress(`Kubernetes: building, ${compiled} packages compiled after ${seconds} s`)
  }, REPORT_EVERY_MS)
  try {
    await runTool('go', buildArguments(program), {
      cwd: build.sourceDir,
      env: { ...build.env, CGO_ENABLED: '0' },
      onLine: () => (compiled += 1),
    })
  } finally {
    clearInterval(report)
  }
  linkComponents(build.folder)
}

/** Gives the program one name per component: it acts by the name that it is called by. */
export const linkComponents = (folder: string): void => {
  for (const name of GO_PROGRAM.names) linkSync(join(folder, GO_PROGRAM.file), join(folder, name))
}

const buildArguments = (program: string): string[] => {
  const [major, minor] = GO_PROGRAM.version.split('.')
  const variable = 'k8s.io/component-base/version'
  // Without its version kubectl cannot parse what the API server answers.
  const ldflags = [
    '-s -w',
    `-X ${variable}.gitVersion=v${GO_PROGRAM.version}`,
    `-X ${variable}.gitMajor=${major}`,
    `-X ${variable}.gitMinor=${minor}`,
  ]
  return [
    'build',
    '-v',
    '-trimpath',
    '-mod=readonly',
    '-ldflags',
    ldflags.join(' '),
    '-o',
    program,
    '.',
  ]
}
