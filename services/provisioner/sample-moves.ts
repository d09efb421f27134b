import type { RecordedEvent } from '@weir/contract'
import { connected, createWorld, type Fault, type World } from './sample-world.ts'

/** A world with one node. */
export const open = async (fault?: Fault): Promise<World> => {
  const world = createWorld(fault === undefined ? {} : { fault })
  await world.say(connected)
  await world.seeNodes({ a: '127.0.0.11' })
  return world
}

/** What exists at each provider: `memory 1 TCP/80 a`. */
export const exists = (world: World): readonly string[] =>
  [world.driver, ...world.clouds.map(({ memory }) => memory)].flatMap(({ name, provider }) =>
    provider.world().map(({ marks, frontends, targets }) => {
      const ports = frontends.map(({ protocol, port }) => `${protocol}/${port}`).join()
      return `${name} ${marks.epoch} ${ports} ${targets.map(({ node }) => node).join()}`
    }),
  )
/** What was said in events of one type. */
export const dataOf = (story: readonly RecordedEvent[], type: string) =>
  story.filter((said) => said.type === type).map(({ data }) => data)
