export * from './bus.ts'
export * from './connect-bus.ts'
export * from './memory/memory-bus.ts'
export * from './memory/misbehaviour.ts'
