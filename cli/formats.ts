/** How a command prints: for people, or for programs. */
export const formats = ['table', 'json', 'yaml'] as const
export type Format = (typeof formats)[number]
