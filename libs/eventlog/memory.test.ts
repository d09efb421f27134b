import { describe } from 'vitest'
import { describeStore } from './eventlog.conformance.ts'
import { ports } from './facts.conformance.ts'
import { createMemoryStore } from './memory-store.ts'

const store = createMemoryStore(ports)

describe('in memory', () => {
  describeStore({ open: async () => store })
})
