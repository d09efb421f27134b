import { connectBus, type Bus } from '@weir/bus'
import { edgeReport, type EdgeReport } from '@weir/contract'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import type { Platform } from './platform.ts'

/** A connection to the platform's bus, for what no command shows. */
export const openBus = (platform: Platform): Promise<Bus> =>
  connectBus({
    url: platform.natsUrl,
    name: 'e2e',
    clock: systemClock,
    ids: systemIds,
    logger: silentLogger,
  })

/** What each edge says about the resource of a Service, by the Service's UID. */
export const reportsOf = async (
  platform: Platform,
  uid: string,
): Promise<readonly EdgeReport[]> => {
  const bus = await openBus(platform)
  try {
    const reports: EdgeReport[] = []
    for await (const { body } of bus.lastOfEach('EDGE', 'weir.edge.*.report.>')) {
      const read = edgeReport.safeParse(parsed(body))
      if (read.success && JSON.stringify(read.data.marks).includes(uid)) reports.push(read.data)
    }
    return reports
  } finally {
    await bus.close()
  }
}

const parsed = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
