// Runs before start, check, test, e2e and bench, on whatever Node the machine has. This file keeps to
// words that Node 12 can read, so that an old one gets a sentence and not a syntax error.
const major = Number(process.versions.node.split('.')[0])
if (major < 20) {
  console.error(
    'weir: this is Node ' +
      process.versions.node +
      '; install Node 20 or newer to begin ' +
      '(npm then brings the Node 24 that weir runs on)',
  )
  process.exitCode = 1
} else {
  void import('./prepare.js').then(({ prepare }) => prepare())
}
