import { eventually, type Patience } from '@weir/testing'

/** Waits until what `check` expects is so; its last complaint is the failure's. */
export const holds = async (
  check: () => Promise<void> | void,
  patience?: Patience,
): Promise<void> => {
  const held = async (): Promise<true> => {
    await check()
    return true
  }
  await eventually(held, patience)
}
