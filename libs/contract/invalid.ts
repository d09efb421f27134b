/** Input from outside breaks a rule. The message names the thing, the rule and the fix. */
export class InvalidInput extends Error {
  /** The path of the offending field, such as `users[0].user.exec`. */
  readonly field: string
  constructor(field: string, message: string) {
    super(message)
    this.name = 'InvalidInput'
    this.field = field
  }
}
