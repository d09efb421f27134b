/**
 * The time-outs of affinity that the kernel's rules know, in seconds: a rule carries its time-out, and their
 * number is constant. Times that people write are among them; between two lies at most a third, from the
 * fourth on.
 */
export const affinityClasses = [
  1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 75, 90, 120, 150, 180, 240, 300, 360,
  480, 600, 720, 900, 1200, 1500, 1800, 2400, 3000, 3600, 4500, 5400, 7200, 9000, 10_800, 14_400,
  18_000, 21_600, 28_800, 36_000, 43_200, 54_000, 64_800, 86_400,
] as const
export type AffinityClass = (typeof affinityClasses)[number]

/** The least class that keeps a client as long as its Service says: never shorter, at most a third longer. */
export const affinityClassFor = (timeoutSeconds: number): AffinityClass =>
  affinityClasses.find((seconds) => seconds >= timeoutSeconds) ?? 86_400

/** What the kernel does with a client of such a Service, as the verdict of an element. */
export const keepText = (seconds: AffinityClass): string => `goto ${keepChain(seconds)}`
export const keepChain = (seconds: AffinityClass): string => `keep_${seconds}`

/** @returns undefined for what is no verdict that we give. */
export const keptBy = (verdict: string): AffinityClass | undefined =>
  affinityClasses.find((seconds) => keepText(seconds) === verdict)
