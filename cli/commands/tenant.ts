import { z } from 'zod'
import type { ApiClient } from '../client.ts'
import { answer, print, tell, type Format } from '../output.ts'

/** Makes a tenant and prints a token for it, which is shown this once. */
export const tenantCreate = async (
  client: ApiClient,
  tenant: string,
  flags: { output: Format },
): Promise<void> => {
  await client.send('POST', '/v1/tenants', { tenant }, z.object({ tenant: z.string() }))
  const schema = z.object({ id: z.string(), token: z.string() })
  const issued = await client.send(
    'POST',
    `/v1/tenants/${encodeURIComponent(tenant)}/tokens`,
    { role: 'admin' },
    schema,
  )
  answer(flags.output, { tenant, ...issued }, () => {
    tell(`tenant ${tenant} exists; its token is shown only now:`)
    print(issued.token)
  })
}
