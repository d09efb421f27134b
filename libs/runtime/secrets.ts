import { OperatingError } from '@weir/kernel'
import type * as Jose from 'jose'

/** What a secret belongs to. It is sealed in: a text copied to another row does not open there. */
export type SecretContext = {
  readonly tenant: string
  /** Which of the owner's secrets, such as `token`. */
  readonly field: string
} & ({ readonly cluster: string } | { readonly driver: string })

/**
 * Seals a text for storage: a compact JWE (RFC 7516), direct key, AES-256-GCM, fresh nonce each time.
 * The context stands in the protected header, readable and authenticated.
 *
 * @param key 32 bytes.
 */
export const sealSecret = async (
  key: Uint8Array,
  context: SecretContext,
  text: string,
): Promise<Uint8Array> => {
  const { CompactEncrypt } = await jose()
  const sealed = await new CompactEncrypt(utf8.encode(text))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', ...headerOf(context) })
    .encrypt(key)
  return utf8.encode(sealed)
}

/**
 * @throws OperatingError when the key is another, a byte was changed, or the secret belongs to another
 * context. The error never holds the text.
 */
export const openSecret = async (
  key: Uint8Array,
  context: SecretContext,
  bytes: Uint8Array,
): Promise<string> => {
  const { plaintext, protectedHeader } = await decrypt(key, context, bytes)
  for (const [name, expected] of Object.entries(headerOf(context))) {
    if (protectedHeader[name] === expected) continue
    throw new OperatingError(
      `${nameOf(context)} was sealed for another ${name.slice('weir_'.length)}`,
    )
  }
  return new TextDecoder().decode(plaintext)
}

/** Loaded at first use: most services hold no secret, and it costs 50 ms of their start. */
const jose = (): Promise<typeof Jose> => import('jose')

const utf8 = new TextEncoder()

const headerOf = (context: SecretContext): Record<string, string> => ({
  weir_tenant: context.tenant,
  ...('cluster' in context ? { weir_cluster: context.cluster } : { weir_driver: context.driver }),
  weir_field: context.field,
})

const nameOf = (context: SecretContext): string => {
  const owner = 'cluster' in context ? `cluster ${context.cluster}` : `driver ${context.driver}`
  return `the secret ${context.field} of ${owner} of tenant ${context.tenant}`
}

const decrypt = async (
  key: Uint8Array,
  context: SecretContext,
  bytes: Uint8Array,
): Promise<Jose.CompactDecryptResult> => {
  const { compactDecrypt, errors } = await jose()
  try {
    return await compactDecrypt(bytes, key, {
      keyManagementAlgorithms: ['dir'],
      contentEncryptionAlgorithms: ['A256GCM'],
    })
  } catch (cause) {
    if (!(cause instanceof errors.JOSEError)) throw cause
    throw new OperatingError(
      `cannot open ${nameOf(context)}; is WEIR_MASTER_KEY the one it was sealed with?`,
      { cause },
    )
  }
}
