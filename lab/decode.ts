/** The lab's own objects, which it wrote or checked itself, in the form the pure layers read. */
import type { EndpointSliceObject, KubeObjects, Meta, NodeObject, ServiceObject } from '../src/kubeobj/objects.ts'
import { type KubeJson, labelsOf, listAt, mapAt, nameOf, namespaceOf, ofKind, stringsAt, textAt } from './kubejson.ts'

const evidence = { artefact: 'objects.json', line: 0, text: '', source: 'netwhy lab' }
const count = (value: unknown, otherwise: number) => (typeof value === 'number' ? value : otherwise)

function base(o: KubeJson): { meta: Meta; evidence: typeof evidence } {
  const meta = { name: nameOf(o), namespace: namespaceOf(o), uid: '', labels: labelsOf(o), annotations: {}, owners: [] }
  return { meta, evidence }
}

/** Nodes, Services and EndpointSlices; the other kinds are empty. */
export function decodeObjects(objects: readonly KubeJson[]): KubeObjects {
  return {
    nodes: ofKind(objects, 'Node').map(node),
    services: ofKind(objects, 'Service').map(service),
    endpointSlices: ofKind(objects, 'EndpointSlice').map(slice),
    pods: [],
    namespaces: [],
    events: [],
    others: [],
    known: new Set(['Node', 'Service', 'EndpointSlice']),
  }
}

function node(o: KubeJson): NodeObject {
  return { ...base(o), podCIDRs: [], addresses: [], conditions: [], taints: [], allocatable: {} }
}

function service(o: KubeJson): ServiceObject {
  const spec = mapAt(o, 'spec')
  return {
    ...base(o),
    type: textAt(o, 'spec', 'type') || 'ClusterIP',
    clusterIPs: stringsAt(o, 'spec', 'clusterIPs'),
    externalIPs: stringsAt(o, 'spec', 'externalIPs'),
    ports: listAt(o, 'spec', 'ports').map((p) => ({
      name: textAt(p, 'name'),
      port: count(p.port, 0),
      protocol: textAt(p, 'protocol') || 'TCP',
      targetPort: typeof p.targetPort === 'string' ? p.targetPort : count(p.targetPort, count(p.port, 0)),
      nodePort: count(p.nodePort, 0),
    })),
    selector: null,
    externalTrafficPolicy: textAt(o, 'spec', 'externalTrafficPolicy') || 'Cluster',
    internalTrafficPolicy: textAt(o, 'spec', 'internalTrafficPolicy') || 'Cluster',
    sessionAffinity: textAt(o, 'spec', 'sessionAffinity') || 'None',
    sessionAffinityTimeout: count(mapAt(o, 'spec', 'sessionAffinityConfig', 'clientIP').timeoutSeconds, 10800),
    loadBalancerSourceRanges: stringsAt(o, 'spec', 'loadBalancerSourceRanges'),
    loadBalancerIngress: listAt(o, 'status', 'loadBalancer', 'ingress').map((i) => ({
      ip: textAt(i, 'ip'),
      ipMode: textAt(i, 'ipMode'),
    })),
    healthCheckNodePort: count(spec.healthCheckNodePort, 0),
    ipFamilies: stringsAt(o, 'spec', 'ipFamilies'),
    publishNotReadyAddresses: spec.publishNotReadyAddresses === true,
  }
}

function slice(o: KubeJson): EndpointSliceObject {
  return {
    ...base(o),
    serviceName: labelsOf(o)['kubernetes.io/service-name'] ?? '',
    addressType: textAt(o, 'addressType'),
    ports: listAt(o, 'ports').map((p) => ({
      name: textAt(p, 'name'),
      port: typeof p.port === 'number' ? p.port : null,
      protocol: textAt(p, 'protocol') || 'TCP',
    })),
    endpoints: listAt(o, 'endpoints').map((e) => {
      // discovery.k8s.io/v1: a nil ready means ready, a nil serving means as ready says.
      const { ready, serving, terminating } = mapAt(e, 'conditions')
      const names = (hint: string) => listAt(e, 'hints', hint).map((h) => textAt(h, 'name'))
      return {
        addresses: stringsAt(e, 'addresses'),
        ready: ready !== false,
        serving: serving === undefined ? ready !== false : serving === true,
        terminating: terminating === true,
        nodeName: textAt(e, 'nodeName') || undefined,
        hintZones: names('forZones'),
        hintNodes: names('forNodes'),
      }
    }),
  }
}
