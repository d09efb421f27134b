export * from './bus.ts'
export * from './connect-bus.ts'
