import type { DesiredResource, ResourceFrontend } from '@weir/contract'
import type { FrontendKey } from '../../domain/forwarding-table.ts'

/** Not carried here: the kernel's rules look for ports where TCP and UDP have them. */
export const isSctp = ({ protocol }: ResourceFrontend): boolean => protocol === 'SCTP'

export const carried = ({ frontends }: DesiredResource): readonly ResourceFrontend[] =>
  frontends.filter((at) => !isSctp(at))

export const keyOfFrontend = ({ ip, protocol, port }: ResourceFrontend): FrontendKey =>
  `${ip} . ${protocol === 'TCP' ? 6 : 17} . ${port}`
