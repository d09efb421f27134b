export * from './eventlog.ts'
export { createHousekeeping, type Housekeeping, type HousekeepingOptions } from './housekeeping.ts'
export { createMemoryStore } from './memory-store.ts'
export { migrate } from './migrate.ts'
export { openStore, type StoreOptions, type StorePorts } from './postgres-store.ts'
export {
  createReconciler,
  type Reconciler,
  type ReconcilerHealth,
  type ReconcilerOptions,
} from './reconciler.ts'
export { createRelay, type Relay, type RelayHealth, type RelayOptions } from './relay.ts'
