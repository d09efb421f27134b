import { findBinary, obtainBinary, type BinaryName, type ObtainOptions } from '@weir/embedded'
import type { KubernetesBinaries } from './kubernetes-api-server.ts'

/** The Go source of the one program that is etcd, the API server and the controllers by name. */
export const goSourceDir = `${import.meta.dirname}/program`

const NAMES = {
  etcd: 'etcd',
  kubeApiserver: 'kube-apiserver',
  kubeControllerManager: 'kube-controller-manager',
} as const satisfies Record<keyof KubernetesBinaries, BinaryName>

export type KubernetesBinaryOptions = Omit<ObtainOptions, 'goSourceDir'>

/** The three programs if this machine has them all; nothing is downloaded or built. */
export const findKubernetesBinaries = (
  options: KubernetesBinaryOptions,
): KubernetesBinaries | undefined => {
  const find = (name: BinaryName): string | undefined =>
    findBinary(name, { ...options, goSourceDir })
  const etcd = find(NAMES.etcd)
  const kubeApiserver = find(NAMES.kubeApiserver)
  const kubeControllerManager = find(NAMES.kubeControllerManager)
  if (etcd === undefined || kubeApiserver === undefined) return undefined
  if (kubeControllerManager === undefined) return undefined
  return { etcd, kubeApiserver, kubeControllerManager }
}

/**
 * The three programs, downloaded when the machine lacks them or else built from Go modules: up to ten
 * minutes, once per machine, with a line of progress every twenty seconds.
 */
export const obtainKubernetesBinaries = async (
  options: KubernetesBinaryOptions,
): Promise<KubernetesBinaries> => {
  const obtain = (name: BinaryName): Promise<string> =>
    obtainBinary(name, { ...options, goSourceDir })
  // One after the other: a build gives all three, a failed download need not be tried thrice.
  const kubeApiserver = await obtain(NAMES.kubeApiserver)
  const kubeControllerManager = await obtain(NAMES.kubeControllerManager)
  return { etcd: await obtain(NAMES.etcd), kubeApiserver, kubeControllerManager }
}
