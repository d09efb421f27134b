export * from './backbone.ts'
