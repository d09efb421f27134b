import { describePlatform } from './suites/all.ts'

describePlatform('simulated')
