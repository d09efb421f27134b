export {
  publicOnly,
  refusalOf,
  withLoopback,
  withOwnNetworks,
  type AddressPolicy,
} from './address-policy.ts'
export { ApiError, isApiError } from './api-error.ts'
export {
  createConnection,
  type ConnectionLimits,
  type ConnectionOptions,
  type KubeCall,
  type KubeConnection,
  type PatchType,
} from './connection.ts'
export {
  decodeCredentials,
  encodeCredentials,
  parseKubeconfig,
  type ClusterAuth,
  type ClusterCredentials,
} from './credentials.ts'
export {
  createEventRecorder,
  type EventRecorder,
  type EventRecorderOptions,
  type KubeEvent,
} from './events.ts'
export { cleanupFinalizer, finalizers, sharedFinalizer } from './finalizers.ts'
export { listAll, type CompleteList, type ListRequest } from './list.ts'
export { reasonAnnotation } from './knobs.ts'
export { kubeEndpointSlice, kubeNode, kubeService, type KubeService } from './objects.ts'
export { rbacManifest, rbacObjects } from './rbac.ts'
export {
  createReflector,
  type Reflector,
  type ReflectorHandler,
  type ReflectorMetrics,
  type ReflectorOptions,
  type ReflectorTiming,
} from './reflector.ts'
export { readyByNode, seeSlice, type SeenSlice } from './see-endpoints.ts'
export { seeNode } from './see-node.ts'
export {
  conditionTypes,
  createServiceWriter,
  type ServiceRef,
  type ServiceWriter,
  type Told,
  type Written,
} from './service-writer.ts'
export {
  seeService,
  type Condition,
  type SeenService,
  type ShownIngress,
  type WantedRule,
} from './translate.ts'
