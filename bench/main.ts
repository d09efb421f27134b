// npm run bench -- NAME [options]: each bench prints what it measured as ratios of one run.

/** What a bench's file exports. `args` are the words after its name. */
export type Bench = (args: readonly string[]) => Promise<void>

const benches: Readonly<Record<string, { readonly what: string; load(): Promise<Bench> }>> = {
  dataplane: {
    what: 'the kernel edge against a direct connection, Envoy, HAProxy and the userspace edge',
    load: async () => (await import('./dataplane.ts')).benchDataplane,
  },
  edge: {
    what: 'the userspace edge against a direct connection to the same node port',
    load: async () => (await import('./edge.ts')).benchEdge,
  },
  'first-packet': {
    what: 'from a Service to the first answered packet through each kernel edge, by stage',
    load: async () => (await import('./first-packet.ts')).benchFirstPacket,
  },
  frontends: {
    what: 'changes of one frontend among thousands in the kernel, HAProxy and Envoy; many at once',
    load: async () => (await import('./frontends.ts')).benchFrontends,
  },
  gc: {
    what: 'cleanup: a scan of 100,000 resources, its memory, and 10,000 orphans removed',
    load: async () => (await import('./gc.ts')).benchGc,
  },
  lifecycle: {
    what: 'Services from creation to an answer and to their end, against a bare client',
    load: async () => (await import('./lifecycle.ts')).benchLifecycle,
  },
}

const [name = '', ...args] = process.argv.slice(2)
const bench = benches[name]
if (!bench) {
  console.error(name === '' ? 'Say which bench:' : `There is no bench "${name}"; there are:`)
  for (const [known, { what }] of Object.entries(benches)) {
    console.error(`  npm run bench -- ${known.padEnd(12)} ${what}`)
  }
  process.exit(2)
}
await (
  await bench.load()
)(args)
