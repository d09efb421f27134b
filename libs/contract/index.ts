// The words of weir, one per idea, and everything that travels or is kept.
//
//   tenant         a customer: owns clusters, quota, tokens, a slice of the log
//   cluster        one tenant Kubernetes cluster, known by its kube-system namespace UID
//   service        a Kubernetes Service, known by its UID
//   load balancer  our aggregate: the life of one service as a load balancer
//   intent         the normalised desired state of a load balancer
//   frontend       (ip, protocol, port): the unit that is exclusive
//   lease          an IP held by one load balancer, or by one sharing group of one tenant
//   pool           a set of address ranges with rules
//   target         where traffic goes: a node with a weight
//   resource       one thing that exists at a provider because of us
//   driver         code that makes, observes and removes resources
//   edge           a machine of our own fleet
//   observation    what a watcher saw; a hint, kept only as the last value per key
//   event          a fact in the log; never changed, never removed
//   epoch          the incarnation number of a resource
export * from './codec.ts'
export * from './direct-return.ts'
export * from './edge-doubts.ts'
export * from './edge-inspection.ts'
export * from './edge-messages.ts'
export * from './envelope.ts'
export * from './events.ts'
export * from './hash.ts'
export * from './ids.ts'
export * from './intent.ts'
export * from './invalid.ts'
export * from './lb-events.ts'
export * from './net.ts'
export * from './observations.ts'
export * from './platform-events.ts'
export * from './pool.ts'
export * from './reasons.ts'
export * from './resource.ts'
export * from './resource-events.ts'
export * from './status-events.ts'
export * from './subjects.ts'
export * from './work-keys.ts'
