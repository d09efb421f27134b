import { migrate } from '@weir/eventlog'
import { parseSettings, readEnvironment, settings, SettingsError } from '@weir/runtime'
import { z } from 'zod'
import { CommandFailed } from '../exit.ts'
import { ok } from '../output.ts'

/** Brings the database up to this version. */
export const migrateDatabase = async (): Promise<void> => {
  await migrate(databaseUrl())
  ok('the database is up to date')
}

const databaseUrl = (): string => {
  try {
    return parseSettings(z.object({ DATABASE_URL: settings.DATABASE_URL }), readEnvironment())
      .DATABASE_URL
  } catch (error) {
    if (error instanceof SettingsError) throw new CommandFailed('usage', error.message)
    throw error
  }
}
