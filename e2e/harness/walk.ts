import { test } from 'vitest'
import { makePlace, type Place } from './place.ts'
import { lastWordsOf, type Platform } from './platform.ts'

/** A platform that a file's tests share. */
export type Shared = () => Platform

/** How one suite declares its tests. */
export type Walk = (title: string, body: (place: Place) => Promise<void>) => void

/** Tests that each have a namespace of their own; one that fails shows what the platform saw. */
export const walkOn =
  (shared: Shared): Walk =>
  (title, body) =>
    test(title, async () => {
      const place = await makePlace(shared())
      try {
        await body(place)
      } catch (error) {
        process.stderr.write(`\n${title}\n${await diagnosis(place)}\n`)
        throw error
      }
    })

/** What a person would look at first. */
const diagnosis = async ({ platform, namespace, kubectl }: Place): Promise<string> => {
  const told = async (what: Promise<string>): Promise<string> =>
    what.catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
  const services = await told(kubectl('get services -o name'))
  const names = services.split('\n').flatMap((line) => line.split('service/')[1] ?? [])
  const shown = await Promise.all([
    told(kubectl('get services,deployments,pods -o wide')),
    told(kubectl('describe services')),
    told(kubectl('get events')),
    ...names.map(async (name) => {
      const { stdout, stderr } = await platform.weir(`explain service ${namespace}/${name}`)
      return stdout + stderr
    }),
  ])
  return [...shown, lastWordsOf(platform.state), platform.output().slice(-2_000)].join('\n')
}
