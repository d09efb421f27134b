/** Ours: the gate. While it is on a Service, something of ours may exist for it. */
export const cleanupFinalizer = 'weir.dev/load-balancer-cleanup'

/**
 * The field's: users and tests look for it, and other controllers may take it off, so it is carried
 * and never trusted.
 */
export const sharedFinalizer = 'service.kubernetes.io/load-balancer-cleanup'

export const finalizers: readonly string[] = [sharedFinalizer, cleanupFinalizer]
