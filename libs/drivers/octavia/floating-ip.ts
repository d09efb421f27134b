import type { Step } from '../driver.ts'
import { stepOf } from './calls.ts'
import { describeMarks } from './marks.ts'
import type { Ours, View } from './observe.ts'
import type { Wish } from './wish.ts'

/**
 * What is to be done about floating IPs: there is one, at the load balancer's own port, with the
 * address asked for. It is no part of the load balancer, so it outlives one that has to be replaced.
 */
export const planFloatingIps = (wish: Wish, kept: Ours, view: View): readonly Step[] => {
  const { floatingNetworkId } = wish.settings
  const [mine, ...spare] = view.floatingIps
  if (floatingNetworkId === undefined) return view.floatingIps.map((each) => free(wish, each))
  const port = kept.balancer.vip_port_id
  const isOther =
    mine !== undefined && wish.address !== null && mine.floating_ip_address !== wish.address
  const frees = (isOther ? view.floatingIps : spare).map((each) => free(wish, each))
  if (isOther || !port) return frees
  if (mine === undefined)
    return [allocate(wish, floatingNetworkId, { port, project: view.project })]
  if (mine.port_id === port) return frees
  const title = `attach floating IP ${mine.floating_ip_address}`
  return [
    stepOf(wish.marks, title, { do: 'attach', floatingIp: mine.id, marks: wish.marks, port }),
    ...frees,
  ]
}

const free = ({ marks }: Wish, floating: View['floatingIps'][number]): Step =>
  stepOf(marks, `free floating IP ${floating.floating_ip_address}`, {
    do: 'free',
    floatingIp: floating.id,
    marks,
  })

const allocate = (
  { marks, address }: Wish,
  network: string,
  at: { readonly port: string; readonly project: string },
): Step =>
  stepOf(marks, 'allocate a floating IP', {
    do: 'allocate',
    marks,
    body: {
      floatingip: {
        floating_network_id: network,
        project_id: at.project,
        port_id: at.port,
        description: describeMarks(marks),
        ...(address === null ? {} : { floating_ip_address: address }),
      },
    },
  })
