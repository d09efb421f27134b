// Run in an edge's namespace: `node one-size.ts FRONTENDS SAMPLES`. Loads so many frontends into the kernel
// through the plane, changes one at a time, reads all of it back, and prints what each took, ms, as JSON.
import { openPlane, range, serveAll, serviceAt, servicesPerCluster, timed } from './world.ts'

const [size, samples] = process.argv.slice(2).map(Number)
if (size === undefined || samples === undefined) throw new Error('say how many frontends, samples')

const first = await openPlane()
const everything = range(0, size).map((at) => serviceAt(at))
const load = await timed(() => serveAll(first, everything))

const add: number[] = []
const remove: number[] = []
const remap: number[] = []
for (const sample of range(0, samples)) {
  // Another Service of a cluster that is there, as most are.
  const fresh = { ...serviceAt(size + sample), targets: serviceAt(sample).targets }
  add.push(await timed(() => serveAll(first, [fresh])))
  const cluster = sample % (size / servicesPerCluster)
  const own = range(cluster * servicesPerCluster, servicesPerCluster)
  // A node leaves the cluster, which all its Services are told at once, and comes back.
  remap.push(
    await timed(() =>
      serveAll(
        first,
        own.map((at) => serviceAt(at, 2)),
      ),
    ),
  )
  remap.push(
    await timed(() =>
      serveAll(
        first,
        own.map((at) => serviceAt(at)),
      ),
    ),
  )
  remove.push(await timed(() => first.remove(fresh.marks.key)))
}
const compared = new AbortController()
const verifying = timed(async () => {
  const differed = await first.verify()
  if (differed > 0) throw new Error(`${differed} elements were not as they should be`)
  compared.abort()
})
const addMeanwhile: number[] = []
for (let at = size + samples; !compared.signal.aborted; at += 1) {
  addMeanwhile.push(await timed(() => serveAll(first, [serviceAt(at)])))
}
const verify = await verifying
await first.close()
const said = JSON.stringify({ load, add, remap, remove, verify, addMeanwhile })
// A pipe takes less at once than all these times.
process.stdout.write(said, () => process.exit(0))
