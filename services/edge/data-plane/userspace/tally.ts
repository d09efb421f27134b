import type { PlaneCounters } from '../data-plane.ts'

/** The counters of this data plane, while they are counted. */
export type Tally = { -readonly [Name in keyof PlaneCounters]: PlaneCounters[Name] }

export const createTally = (): Tally => ({
  connectionsOpen: 0,
  connections: 0,
  udpSessionsOpen: 0,
  udpSessions: 0,
  deniedBySource: 0,
  deniedByLimit: 0,
  connectFailures: 0,
  unserved: 0,
  bytesToNodes: 0,
  bytesToClients: 0,
})
