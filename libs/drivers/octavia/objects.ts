// What Octavia and Neutron answer, as far as we look at it. Fields that we do not know are ignored; a field
// that is missing or of another kind makes the whole answer unreadable, which is a failed read.
import { z } from 'zod'

const status = z.string().max(50)
const tags = z.array(z.string()).default([])
const refs = z.array(z.object({ id: z.string() }))
/** Octavia writes UTC without a zone. */
const time = z
  .string()
  .nullish()
  .transform((text) => (text ? Date.parse(/[Z+]/.test(text) ? text : `${text}Z`) : null))

export const balancer = z.object({
  id: z.string().min(1).max(100),
  name: z.string(),
  project_id: z.string(),
  provisioning_status: status,
  operating_status: status,
  vip_address: z.string(),
  vip_port_id: z.string().nullish(),
  admin_state_up: z.boolean(),
  tags,
  created_at: time,
  updated_at: time,
})
export type Balancer = z.infer<typeof balancer>

export const listener = z.object({
  id: z.string(),
  protocol: z.string(),
  protocol_port: z.int(),
  provisioning_status: status,
  default_pool_id: z.string().nullable(),
  timeout_client_data: z.int().nullish(),
  timeout_member_data: z.int().nullish(),
  allowed_cidrs: z
    .array(z.string())
    .nullish()
    .transform((cidrs) => (cidrs ?? []).toSorted()),
  admin_state_up: z.boolean(),
  tags,
})
export type Listener = z.infer<typeof listener>

export const pool = z.object({
  id: z.string(),
  name: z.string(),
  protocol: z.string(),
  provisioning_status: status,
  lb_algorithm: z.string(),
  session_persistence: z
    .object({ type: z.string(), persistence_timeout: z.int().nullish() })
    .nullish(),
  healthmonitor_id: z.string().nullish(),
  listeners: refs,
  admin_state_up: z.boolean(),
  tags,
})
export type Pool = z.infer<typeof pool>

export const member = z.object({
  id: z.string(),
  name: z.string().nullish(),
  address: z.string(),
  protocol_port: z.int(),
  weight: z.int(),
  monitor_port: z.int().nullish(),
  operating_status: status,
  admin_state_up: z.boolean(),
})
export type Member = z.infer<typeof member>

export const monitor = z.object({
  id: z.string(),
  type: z.string(),
  delay: z.int(),
  timeout: z.int(),
  max_retries: z.int(),
  max_retries_down: z.int(),
  url_path: z.string().nullish(),
  http_method: z.string().nullish(),
  expected_codes: z.string().nullish(),
  provisioning_status: status,
  admin_state_up: z.boolean(),
})
export type Monitor = z.infer<typeof monitor>

export const floatingIp = z.object({
  id: z.string().min(1).max(100),
  floating_ip_address: z.string(),
  port_id: z.string().nullable(),
  description: z.string().nullish(),
  status: z.string().nullish(),
})
export type FloatingIp = z.infer<typeof floatingIp>

export const versionList = z.object({
  versions: z.array(z.object({ id: z.string(), status: z.string() })).min(1),
})
