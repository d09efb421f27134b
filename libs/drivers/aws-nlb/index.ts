export * from './aws-nlb-driver.ts'
export * from './settings.ts'
