// The one home of the process environment; tidy bans process.env elsewhere.
import type { z } from 'zod'

/** Says which variables are wrong and what each shall look like, in one message. */
export class SettingsError extends Error {
  constructor(problems: readonly string[]) {
    super(problems.join('; '))
    this.name = 'SettingsError'
  }
}

/** The environment as it is now. A variable set to nothing counts as unset. */
export const readEnvironment = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || value === '' ? [] : [[name, value]],
    ),
  )

/**
 * Parses the variables that a schema names.
 *
 * @throws SettingsError such as `NATS_URL unset; expected nats://host:port`. It never shows a value,
 * which may be a secret.
 */
export const parseSettings = <Schema extends z.ZodObject>(
  schema: Schema,
  environment: Readonly<Record<string, string>>,
): z.infer<Schema> => {
  const parsed = schema.safeParse(environment)
  if (parsed.success) return parsed.data
  throw new SettingsError(
    parsed.error.issues.map((issue) => {
      const name = issue.path.join('.')
      return `${name} ${name in environment ? 'refused' : 'unset'}; ${issue.message}`
    }),
  )
}
