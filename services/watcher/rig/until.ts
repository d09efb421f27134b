import { eventually } from '@weir/testing'

/** Waits until what `check` expects is so. */
export const until = async (check: () => Promise<void> | void): Promise<void> => {
  await eventually(async () => {
    await check()
    return true
  })
}
