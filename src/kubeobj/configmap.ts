import type { Evidence } from '../model/evidence.ts'
import { objectOf, recordOf } from './fields.ts'
import type { KubeObjects, Meta } from './objects.ts'

export interface ConfigMapObject {
  readonly meta: Meta
  readonly evidence: Evidence
  readonly data: Readonly<Record<string, string>>
}

export function configMapsOf(objects: KubeObjects): ConfigMapObject[] {
  return objects.others
    .filter((o) => o.kind === 'ConfigMap')
    .map(({ meta, evidence, raw }) => ({ meta, evidence, data: recordOf(objectOf(raw.data)) }))
}
