/** What users and operators do, by the name that the summary counts it under. */
export const workloadKinds = [
  'create',
  'edit ports',
  'edit ranges',
  'edit affinity',
  'edit address',
  'policy flip',
  'type flip',
  'delete',
  'delete and recreate',
  'namespace delete',
  'node churn',
  'pod churn',
  'share address',
  'pool exhaustion',
  'cluster deregister',
  'driver move',
  'forge status',
  'strip finalizers',
  'leftover',
] as const
export type WorkloadKind = (typeof workloadKinds)[number]
