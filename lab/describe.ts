/** What is up, for `netwhy lab list`. */
import { type KubeJson, labelsOf, listAt, nameOf, namespaceOf, ofKind, stringsAt, textAt } from './kubejson.ts'
import { labNetns } from './ownership.ts'
import { type LabOptions, type LabPlace, podNetns } from './plan.ts'
import { readObjects, readState } from './state.ts'

export interface LabDescription {
  readonly phase: 'absent' | 'starting' | 'up'
  readonly dir?: string
  readonly options?: LabOptions
  readonly startedAt?: string
  readonly faults: readonly string[]
  readonly netns: readonly string[]
  readonly pods: readonly { name: string; node: string; addresses: string[]; ready: boolean; netns: string }[]
  readonly services: readonly {
    name: string
    type: string
    clusterIPs: string[]
    ports: string[]
    endpoints: string[]
  }[]
  readonly policies: readonly string[]
}

export function describeLab(place: LabPlace): LabDescription {
  const state = readState(place)
  if (!state) return { phase: 'absent', faults: [], netns: labNetns(place), pods: [], services: [], policies: [] }
  const objects = state.phase === 'up' ? readObjects(place) : []
  const full = (o: KubeJson) => `${namespaceOf(o)}/${nameOf(o)}`
  return {
    phase: state.phase,
    dir: place.dir,
    options: state.options,
    startedAt: state.startedAt,
    faults: state.faults,
    netns: labNetns(place).sort(),
    pods: ofKind(objects, 'Pod').map((p) => ({
      name: full(p),
      node: textAt(p, 'spec', 'nodeName'),
      addresses: listAt(p, 'status', 'podIPs').map((i) => textAt(i, 'ip')),
      ready: listAt(p, 'status', 'conditions').some((c) => c.type === 'Ready' && c.status === 'True'),
      netns: podNetns(place, namespaceOf(p), nameOf(p)),
    })),
    services: ofKind(objects, 'Service').map((s) => ({
      name: full(s),
      type: textAt(s, 'spec', 'type'),
      clusterIPs: stringsAt(s, 'spec', 'clusterIPs'),
      ports: listAt(s, 'spec', 'ports').map(
        (p) => `${p.port}${typeof p.nodePort === 'number' ? `:${p.nodePort}` : ''}/${textAt(p, 'protocol') || 'TCP'}`,
      ),
      endpoints: ofKind(objects, 'EndpointSlice')
        .filter((e) => namespaceOf(e) === namespaceOf(s))
        .filter((e) => labelsOf(e)['kubernetes.io/service-name'] === nameOf(s))
        .flatMap((e) => listAt(e, 'endpoints').flatMap((x) => stringsAt(x, 'addresses'))),
    })),
    policies: ofKind(objects, 'NetworkPolicy').map(full),
  }
}
