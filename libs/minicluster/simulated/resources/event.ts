import { type Cause, invalidValue } from '../api-error.ts'
import { isObject, type Json, type JsonObject, type KubeObject, textAt } from '../object.ts'
import { eventColumns } from '../print/other-columns.ts'
import { defineResource, type ResourceType } from './resource.ts'

/** The same event in core/v1 and in events.k8s.io/v1: old name to new name. */
const renamed: readonly (readonly [string, string])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['reportingComponent', 'reportingController'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
]

const rename = (event: JsonObject, names: ReadonlyMap<string, string>): JsonObject =>
  Object.fromEntries(Object.entries(event).map(([key, value]) => [names.get(key) ?? key, value]))

const toNew = new Map<string, string>(renamed)
const toOld = new Map<string, string>(renamed.map(([old, now]) => [now, old]))

const initialise = (draft: KubeObject): void => {
  draft['involvedObject'] ??= {}
  draft['source'] ??= {}
  draft['reportingComponent'] ??= ''
  draft['reportingInstance'] ??= ''
  draft['firstTimestamp'] ??= null
  draft['lastTimestamp'] ??= null
  draft['eventTime'] ??= null
}

/** An event lies in the namespace of what it is about, or in `default`. */
const validate = (draft: KubeObject): Cause[] => {
  const namespace = draft.metadata.namespace ?? ''
  const about: Json | undefined = draft['involvedObject']
  const regarded = isObject(about) ? textAt(about, 'namespace') : ''
  const fits = regarded === '' ? namespace === 'default' : regarded === namespace
  if (fits || (regarded === '' && namespace === 'kube-system')) return []
  return [invalidValue('involvedObject.namespace', regarded, 'does not match event.namespace')]
}

const shared = {
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  table: 'events',
  columns: eventColumns,
  createsOnUpdate: true,
  version: 'v1',
}

export const events: ResourceType = defineResource({
  ...shared,
  group: '',
  definition: 'io.k8s.api.core.v1.Event',
  strategy: { initialise, validate },
  selectable: {
    ...Object.fromEntries(
      ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(
        (field) => [
          `involvedObject.${field}`,
          (event: KubeObject) => textAt(event, 'involvedObject', field),
        ],
      ),
    ),
    reason: (event) => textAt(event, 'reason'),
    type: (event) => textAt(event, 'type'),
    reportingComponent: (event) => textAt(event, 'reportingComponent'),
    source: (event) => textAt(event, 'source', 'component') || textAt(event, 'reportingComponent'),
  },
})

export const newEvents: ResourceType = defineResource({
  ...shared,
  group: 'events.k8s.io',
  definition: 'io.k8s.api.events.v1.Event',
  strategy: { initialise, validate },
  convert: {
    toStored: (event) => ({ ...rename(event, toOld), apiVersion: 'v1' }),
    fromStored: ({ reportingComponent, reportingInstance, ...event }) => ({
      ...rename(event, toNew),
      ...(reportingComponent === '' ? {} : { reportingController: reportingComponent }),
      ...(reportingInstance === '' ? {} : { reportingInstance }),
      apiVersion: 'events.k8s.io/v1',
    }),
  },
  selectable: {
    'regarding.kind': (event) => textAt(event, 'involvedObject', 'kind'),
    'regarding.name': (event) => textAt(event, 'involvedObject', 'name'),
    'regarding.namespace': (event) => textAt(event, 'involvedObject', 'namespace'),
    'regarding.uid': (event) => textAt(event, 'involvedObject', 'uid'),
    reason: (event) => textAt(event, 'reason'),
    type: (event) => textAt(event, 'type'),
  },
})
