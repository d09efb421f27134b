import { canonicalJson } from '@weir/contract'
import type { Step } from '../driver.ts'
import { stepOf, type OctaviaCall } from './calls.ts'
import { partTags } from './marks.ts'
import type { Listener } from './objects.ts'
import type { Ours, View } from './observe.ts'
import {
  hashOfSeen,
  shapeOfListener,
  shapeOfPool,
  sortedMembers,
  type PartShape,
  type PartsSeen,
  type PoolSeen,
} from './shape.ts'
import {
  listenerBody,
  membersBody,
  monitorBody,
  partName,
  persistenceBody,
  poolBody,
  timeoutsBody,
  type Wish,
} from './wish.ts'

/**
 * The calls that bring the parts of an ACTIVE load balancer to what is wished. Each takes the cloud's lock
 * on the whole load balancer, so usually only the first succeeds and the rest is planned anew. What is
 * new is complete before traffic is turned to it; only then goes what is old, and at last the tags say
 * so.
 */
export const planParts = (wish: Wish, kept: Ours, view: View): readonly Step[] => {
  const { parts } = view
  if (parts === null) return []
  const at: Site = { wish, kept, parts }
  const changes = [...wish.parts.flatMap((part) => planPart(at, part)), ...removals(at)]
  return changes.length > 0 ? changes : marking(at)
}

interface Site {
  readonly wish: Wish
  readonly kept: Ours
  readonly parts: PartsSeen
}

const lbaas = '/v2/lbaas'

const change = (
  { wish, kept }: Site,
  title: string,
  call: Omit<Extract<OctaviaCall, { do: 'change' }>, 'do' | 'balancer'>,
): Step => stepOf(wish.marks, title, { do: 'change', balancer: kept.balancer.id, ...call })

const planPart = (site: Site, part: PartShape): readonly Step[] => {
  const listener = listenerOf(site.parts, part)
  if (listener?.provisioning_status === 'ERROR') return [deleteListener(site, listener)]
  const pool = poolFor(site, part, listener)
  if (pool === undefined) {
    const body = { pool: { ...poolBody(site.wish, part), loadbalancer_id: site.kept.balancer.id } }
    const title = `create pool ${partName(part)}`
    return [change(site, title, { method: 'POST', path: `${lbaas}/pools`, body })]
  }
  const inPool = planPool(site, part, pool)
  // Traffic is turned to a pool when that is complete.
  const isNew = listener?.default_pool_id !== pool.pool.id
  if (isNew && inPool.length > 0) return inPool
  return [...inPool, ...planListener(site, part, { listener, pool: pool.pool.id })]
}

const listenerOf = (
  { listeners }: PartsSeen,
  part: Pick<PartShape, 'protocol' | 'port'>,
): Listener | undefined =>
  listeners.find((each) => each.protocol_port === part.port && each.protocol === part.protocol)

/** The listener's pool if it can become what is wished, else a spare one that was begun for it. */
const poolFor = (
  site: Site,
  part: PartShape,
  listener: Listener | undefined,
): PoolSeen | undefined => {
  const { parts } = site
  const fits = ({ pool }: PoolSeen): boolean =>
    pool.protocol === part.pool.protocol && pool.provisioning_status !== 'ERROR'
  const current = parts.pools.find(({ pool }) => pool.id === listener?.default_pool_id)
  if (current !== undefined && fits(current) && current.pool.listeners.length < 2) return current
  return parts.pools.find(
    (each) =>
      isSpare(each) && isMarked(site, each.pool) && fits(each) && each.pool.name === partName(part),
  )
}

const isSpare = ({ pool }: PoolSeen): boolean => pool.listeners.length === 0

const planPool = (site: Site, part: PartShape, seen: PoolSeen): readonly Step[] => {
  const { wish } = site
  const { pool } = seen
  const is = shapeOfPool(seen)
  const name = partName(part)
  const all: Step[] = []
  if (!isSame(is.persistence, part.pool.persistence) || is.protocol === 'other') {
    const body = {
      pool: {
        session_persistence: persistenceBody(part),
        lb_algorithm: 'ROUND_ROBIN',
        admin_state_up: true,
      },
    }
    all.push(
      change(site, `change pool ${name}`, {
        method: 'PUT',
        path: `${lbaas}/pools/${pool.id}`,
        body,
      }),
    )
  }
  if (!isSame(is.members, sortedMembers(part.pool.members))) {
    const path = `${lbaas}/pools/${pool.id}/members`
    const body = { members: membersBody(wish, part) }
    all.push(change(site, `set the members of pool ${name}`, { method: 'PUT', path, body }))
  }
  return [...all, ...planMonitor(site, part, seen)]
}

const planMonitor = (site: Site, part: PartShape, seen: PoolSeen): readonly Step[] => {
  const path = `${lbaas}/healthmonitors`
  const name = partName(part)
  const { monitor, pool } = seen
  if (monitor === null) {
    const body = { healthmonitor: { ...monitorBody(site.wish, part), pool_id: pool.id } }
    return [change(site, `create health monitor ${name}`, { method: 'POST', path, body })]
  }
  if (monitor.type !== part.pool.monitor.type || monitor.provisioning_status === 'ERROR') {
    const call = { method: 'DELETE', path: `${path}/${monitor.id}` } as const
    return [change(site, `delete health monitor ${name}`, call)]
  }
  if (isSame(shapeOfPool(seen).monitor, part.pool.monitor)) return []
  const { type: _type, tags: _tags, ...body } = monitorBody(site.wish, part)
  const call = {
    method: 'PUT',
    path: `${path}/${monitor.id}`,
    body: { healthmonitor: body },
  } as const
  return [change(site, `change health monitor ${name}`, call)]
}

const planListener = (
  site: Site,
  part: PartShape,
  is: { readonly listener: Listener | undefined; readonly pool: string },
): readonly Step[] => {
  const { wish, kept } = site
  const { listener } = is
  const name = partName(part)
  if (listener === undefined) {
    const body = {
      listener: {
        ...listenerBody(wish, part),
        default_pool_id: is.pool,
        loadbalancer_id: kept.balancer.id,
      },
    }
    const call = { method: 'POST', path: `${lbaas}/listeners`, body } as const
    return [change(site, `create listener ${name}`, call)]
  }
  const { pool: _pool, ...wished } = part
  const isRight =
    isSame(shapeOfListener(listener, setsIdle(wish)), wished) &&
    listener.default_pool_id === is.pool
  if (isRight && isMarked(site, listener)) return []
  const body = {
    listener: {
      allowed_cidrs: part.cidrs,
      default_pool_id: is.pool,
      admin_state_up: true,
      ...timeoutsBody(part),
      ...(isMarked(site, listener) ? {} : { tags: [...listener.tags, ...partTags(wish.marks)] }),
    },
  }
  const call = { method: 'PUT', path: `${lbaas}/listeners/${listener.id}`, body } as const
  return [change(site, `change listener ${name}`, call)]
}

/** Whether we made this part; what others put into our load balancer is left alone. */
const isMarked = ({ wish }: Site, { tags }: { readonly tags: readonly string[] }): boolean =>
  partTags(wish.marks).every((tag) => tags.includes(tag))

const removals = (site: Site): readonly Step[] => {
  const { wish, parts } = site
  const listeners = parts.listeners.filter(
    (each) =>
      isMarked(site, each) &&
      !wish.parts.some((part) => listenerOf({ ...parts, listeners: [each] }, part) !== undefined),
  )
  const begun = new Set(
    wish.parts.flatMap((part) => {
      const pool = poolFor(site, part, listenerOf(parts, part))
      return pool === undefined ? [] : [pool.pool.id]
    }),
  )
  const pools = parts.pools.filter(
    (each) => isSpare(each) && isMarked(site, each.pool) && !begun.has(each.pool.id),
  )
  return [
    ...listeners.map((each) => deleteListener(site, each)),
    ...pools.map(({ pool }) =>
      change(site, `delete pool ${pool.name}`, {
        method: 'DELETE',
        path: `${lbaas}/pools/${pool.id}`,
      }),
    ),
  ]
}

const deleteListener = (site: Site, { id, protocol, protocol_port: port }: Listener): Step =>
  change(site, `delete listener ${protocol.toLowerCase()}-${port}`, {
    method: 'DELETE',
    path: `${lbaas}/listeners/${id}`,
  })

/** With everything as wished, the tags say so. */
const marking = ({ wish, kept, parts }: Site): readonly Step[] => {
  const { labels, balancer } = kept
  const { generation, hash, marks } = wish
  const shape = hashOfSeen(parts, setsIdle(wish))
  const says = labels.generation === generation && labels.hash === hash && labels.shape === shape
  if (says && balancer.admin_state_up) return []
  return [
    stepOf(marks, `mark load balancer ${balancer.name} with generation ${generation}`, {
      do: 'mark',
      balancer: balancer.id,
      marks,
      generation,
      hash,
      shape,
    }),
  ]
}

const setsIdle = ({ settings }: Wish): boolean => settings.idleTimeoutSeconds !== undefined

const isSame = (one: unknown, other: unknown): boolean =>
  canonicalJson(one) === canonicalJson(other)
