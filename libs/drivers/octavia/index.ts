export * from './octavia-driver.ts'
export * from './settings.ts'
