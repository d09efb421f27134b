import { Agent, request } from 'undici'
import { parse } from 'yaml'
import { at, type Json, textAt } from '../object.ts'
import type { Step } from './steps.ts'

/** How to reach an API server as an administrator. */
export interface Reach {
  readonly server: string
  readonly agent: Agent
}

export const reach = (kubeconfig: string): Reach => {
  const config: Json = parse(kubeconfig)
  const cluster = at(firstOf(config, 'clusters'), 'cluster')
  const user = at(firstOf(config, 'users'), 'user')
  const pem = (value: Json | undefined, field: string): string =>
    Buffer.from(textAt(value, field), 'base64').toString()
  return {
    server: textAt(cluster, 'server'),
    agent: new Agent({
      connect: {
        ca: pem(cluster, 'certificate-authority-data'),
        cert: pem(user, 'client-certificate-data'),
        key: pem(user, 'client-key-data'),
      },
    }),
  }
}

const firstOf = (config: Json, field: string): Json | undefined => {
  const list = at(config, field)
  return Array.isArray(list) ? list[0] : undefined
}

const patchTypes = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
}

export interface Asked extends Omit<Step, 'path'> {
  readonly path: string
}

/** One request; the answer's code and body. */
export const ask = async (
  { server, agent }: Reach,
  step: Asked,
): Promise<{ code: number; body: Json }> => {
  const response = await request(`${server}${step.path}`, {
    dispatcher: agent,
    method: step.method,
    headers: {
      'content-type': step.patch === undefined ? 'application/json' : patchTypes[step.patch],
    },
    body: step.body === undefined ? null : JSON.stringify(step.body),
  })
  const text = await response.body.text()
  const body: Json = text.startsWith('{') ? JSON.parse(text) : text
  return { code: response.statusCode, body }
}
