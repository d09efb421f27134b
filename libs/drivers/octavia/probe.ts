import type { Capabilities, Probe } from '../driver.ts'
import type { Reads } from './api.ts'
import { describeFeatures, has, minorOf, reduceTo } from './features.ts'
import { AccessRefused } from './keystone.ts'
import type { OctaviaSettings } from './settings.ts'

/** What this Octavia can do, or why we cannot use it. */
export type Found =
  | { readonly status: 'usable'; readonly minor: number; readonly capabilities: Capabilities }
  | { readonly status: 'unusable'; readonly problem: string }

/** Reads the version list. Without tags there are no marks, and nothing may be made. */
export const findOut = async (reads: Reads, declared: Capabilities): Promise<Found> => {
  const minor = minorOf(await reads.versions())
  if (minor === undefined || !has(minor, 'tags')) {
    const found = minor === undefined ? 'no version 2' : `v2.${minor}`
    return { status: 'unusable', problem: `Octavia lists ${found}; v2.5 is needed for tags` }
  }
  return { status: 'usable', minor, capabilities: reduceTo(minor, declared) }
}

/** See `Driver.probe`. @throws OperatingError when the cloud cannot be asked */
export const probe = async (
  reads: Reads,
  settings: OctaviaSettings,
  declared: Capabilities,
): Promise<Probe> => {
  try {
    const { project, network } = await reads.access()
    if (!isSameId(project, settings.projectId)) {
      const problem = `the credentials belong to project ${project}, not to ${settings.projectId}`
      return { status: 'refused', problem }
    }
    if (settings.floatingNetworkId !== undefined && network === null) {
      return { status: 'refused', problem: "the cloud's catalog has no Neutron for floating IPs" }
    }
    const found = await findOut(reads, declared)
    if (found.status === 'unusable') return { status: 'refused', problem: found.problem }
    await reads.balancerPage(null, 1)
    if (settings.floatingNetworkId !== undefined) await reads.floatingIpPage(null, 1)
    return {
      status: 'ready',
      account: project,
      found: describeFeatures(found.minor),
      capabilities: found.capabilities,
    }
  } catch (error) {
    if (!(error instanceof AccessRefused)) throw error
    return { status: 'refused', problem: error.message }
  }
}

/** Project ids are written with dashes or without. */
export const isSameId = (one: string, other: string): boolean =>
  one.replaceAll('-', '') === other.replaceAll('-', '')
