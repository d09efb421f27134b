import { platformTenant, type DriverAccount } from '@weir/contract'
import type { Vault } from '@weir/eventlog'
import { OperatingError } from '@weir/kernel'
import { openSecret, sealSecret, type SecretContext } from '@weir/runtime'

/** Credentials of drivers: sealed in the vault, and in no event, log or answer. */
export interface DriverCredentials {
  put(account: DriverAccount, credentials: unknown): Promise<void>
  /** @throws OperatingError when there are none, or the master key is not the one they were sealed with */
  get(account: DriverAccount): Promise<unknown>
}

/** All are the platform's documents, whoever owns the driver: names of drivers are unique in it. */
const documentOf = (name: string): string => `driver-credentials/${name}`

/** Owner and account are sealed in: credentials of another account never open as this driver's. */
const contextOf = ({ name, tenant, kind, account }: DriverAccount): SecretContext => ({
  tenant: tenant ?? platformTenant,
  driver: `${name} (${kind} ${account})`,
  field: 'credentials',
})

/** @param masterKey 32 bytes; without it every call rejects. */
export const createDriverCredentials = (
  vault: Vault,
  masterKey: Uint8Array | undefined,
): DriverCredentials => ({
  put: async (account, credentials) => {
    const sealed = await sealSecret(
      keyOf(masterKey),
      contextOf(account),
      JSON.stringify(credentials),
    )
    await vault.put(platformTenant, documentOf(account.name), sealed)
  },
  get: async (account) => {
    const sealed = await vault.get(platformTenant, documentOf(account.name))
    if (sealed === undefined) {
      throw new OperatingError(`the vault has no credentials of driver ${account.name}`)
    }
    return JSON.parse(await openSecret(keyOf(masterKey), contextOf(account), sealed)) as unknown
  },
})

const keyOf = (masterKey: Uint8Array | undefined): Uint8Array => {
  if (masterKey !== undefined) return masterKey
  throw new OperatingError('credentials of drivers need WEIR_MASTER_KEY, which is unset here')
}
