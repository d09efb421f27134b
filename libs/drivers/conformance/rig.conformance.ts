// What the conformance suite needs of a driver: a world of its own, with a provider that can be looked into
// and made to fail. `testDriver(name, options, make)` in ../driver.conformance.ts runs the suite on it; import
// everything from there.
import type { DesiredResource, InstallationId, OwnershipMarks } from '@weir/contract'
import type { Capabilities, Driver } from '../driver.ts'
import type { SampleOver } from '../sample-desired.ts'

/** A driver with an empty provider, used for one life and then stopped. */
export interface DriverRig {
  /** Drives resources of `ourInstallation` of ../sample-desired.ts. */
  readonly driver: Driver
  /** One more driver on the same provider, as another process has it: it knows only what it reads. */
  another(): Driver
  /** Lets the provider finish what it was told, and lets time pass as far as the provider has rules of it. */
  settle(): Promise<void>
  /** Everything at the provider, whoever made it, read past the driver. */
  things(): Promise<readonly Thing[]>
  /** What the provider does with traffic now, read past the driver. In any order. */
  serving(): Promise<readonly Serving[]>
  /**
   * Makes this exist without the driver, as the driver would have: wholly, or only the part of it that
   * comes first. The marks may be another installation's.
   */
  plant(desired: DesiredResource, how: 'whole' | 'half'): Promise<void>
  /** Makes a thing that carries no marks, as a person does by hand; gives the ref that `things` has. */
  plantUnmarked(): Promise<string>
  /** The next call that changes something fails before its effect, or its reply is lost after it. */
  failNext(when: 'before' | 'after'): void
  /**
   * A resource that this driver can serve, with at least one frontend over TCP and at least two targets;
   * `number` tells Services apart. What `over` names replaces what the sample has.
   */
  sample(number?: number, over?: SampleOver): DesiredResource
  /** An address for a frontend beside the samples', where this world cannot serve every one. */
  addressIn?(family: 'IPv4' | 'IPv6'): string
  /** With `lags`: from now on reads answer what is there now, until they are thawed. */
  freezeReads?(frozen: boolean): void
  /** With `tags`: puts somebody else's tag on every thing of these marks that can carry one. */
  tagByHand?(marks: OwnershipMarks): Promise<void>
  /** With `tags`: whether every thing of these marks that could carry that tag still does. */
  keepsTagByHand?(marks: OwnershipMarks): Promise<boolean>
  stop?(): Promise<void>
}

export interface Thing {
  readonly kind: string
  readonly ref: string
  /** Null when it carries none that can be read. */
  readonly marks: OwnershipMarks | null
}

/** One load balancer as traffic meets it. Lists are compared in any order. */
export interface Serving {
  readonly installation: InstallationId
  readonly key: string
  readonly epoch: number
  readonly generation: number
  readonly frontends: readonly { readonly protocol: string; readonly port: number }[]
  /**
   * One for each frontend and target, so that a node behind two frontends is there twice. `at` is the
   * target's address, or the whole provider id where targets are named by it. The weight is 1 where the
   * driver declares no weights, the nodePort null where it needs none.
   */
  readonly targets: readonly {
    readonly at: string
    readonly nodePort: number | null
    readonly weight: number
  }[]
  readonly sourceRanges: readonly string[]
  readonly health: { readonly port: number; readonly path: string }
  readonly proxyProtocol: 'none' | 'v2'
  readonly affinity: 'None' | 'ClientIP'
}

export interface SuiteOptions {
  /** What stands for the provider, for the table: `octavia-api 11.0.0`, `moto 5.1`, `strict fake`. */
  readonly target: string
  /** As the driver declares them: what it can do is tried, what it cannot do must be refused. */
  readonly capabilities: Capabilities
  /** Whether `execute` answers with tokens. */
  readonly tokens: boolean
  /** Whether `onChange` calls back. */
  readonly tellsOfChanges: boolean
  /** Whether things carry tags of others beside our marks. */
  readonly tags: boolean
  /** Whether the rig can make the provider's reads lag behind its writes. */
  readonly lags: boolean
  /** Milliseconds for one test; default 30,000. Some live as many lives as there are calls in one. */
  readonly timeoutMs?: number
}
