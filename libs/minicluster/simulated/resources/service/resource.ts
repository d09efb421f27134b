import { type KubeObject, textAt } from '../../object.ts'
import { serviceColumns } from '../../print/service-columns.ts'
import { defineResource, type ResourceType, statusOf } from '../resource.ts'
import type { ServiceAllocations } from './allocate.ts'
import { initialiseService } from './initialise.ts'
import { prepareServiceForCreate, prepareServiceForUpdate } from './prepare.ts'
import { validateService } from './validate.ts'
import { validateServiceStatus } from './validate-status.ts'

/** Services of one cluster, whose addresses and node ports come from `allocations`. */
export const defineServices = (allocations: ServiceAllocations): ResourceType =>
  defineResource({
    group: '',
    version: 'v1',
    kind: 'Service',
    plural: 'services',
    shortNames: ['svc'],
    categories: ['all'],
    definition: 'io.k8s.api.core.v1.Service',
    columns: serviceColumns,
    createsOnUpdate: true,
    returnsDeleted: true,
    subresources: [statusOf('Service')],
    selectable: {
      'spec.clusterIP': (service: KubeObject) => textAt(service, 'spec', 'clusterIP'),
      'spec.type': (service: KubeObject) => textAt(service, 'spec', 'type'),
    },
    strategy: {
      initialise: initialiseService,
      allocate: (draft, old) => allocations.allocate(draft, old),
      prepareForCreate: prepareServiceForCreate,
      prepareForUpdate: prepareServiceForUpdate,
      validate: validateService,
      validateStatus: validateServiceStatus,
    },
  })
