import { changes } from './service-changes.ts'
import { creations } from './service-creations.ts'
import { statuses } from './service-statuses.ts'
import type { Case } from './steps.ts'

/** Requests about Services whose answers were recorded from a real API server. */
export const serviceCases: readonly Case[] = [...creations, ...changes, ...statuses]
