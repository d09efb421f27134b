export * from './eventlog.ts'
export { createMemoryStore } from './memory-store.ts'
export { migrate } from './migrate.ts'
export { openStore, type StoreOptions, type StorePorts } from './postgres-store.ts'
