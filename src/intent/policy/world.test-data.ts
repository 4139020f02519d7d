/** A small cluster for the tests of this folder; policies are given as YAML of their spec. */
import { parse } from 'yaml'
import { parseIp } from '../../base/ip.ts'
import type { KubeObjects, Meta, NodeObject, OtherObject, PodObject, ServiceObject } from '../../kubeobj/objects.ts'
import type { PolicyEnd } from './index.ts'

const evidence = { artefact: 'objects/all.yaml', text: '' }
type Labels = Record<string, string>

function meta(namespace: string, name: string, labels: Labels = {}): Meta {
  return { name, namespace, uid: `${namespace}/${name}`, labels, annotations: {}, owners: [] }
}

export function pod(
  namespace: string,
  name: string,
  labels: Labels,
  node: string,
  podIPs: readonly string[],
  more: Partial<PodObject> & { readonly ports?: readonly (readonly [string, number, string])[] } = {},
): PodObject {
  const { ports = [], ...rest } = more
  return {
    meta: meta(namespace, name, labels),
    evidence,
    nodeName: node,
    hostNetwork: false,
    containers: [
      {
        name: 'main',
        ports: ports.map(([portName, containerPort, protocol]) => ({ name: portName, containerPort, protocol })),
        hasPreStop: false,
        hasReadinessProbe: false,
      },
    ],
    phase: 'Running',
    podIPs,
    conditions: [],
    containerStatuses: [],
    ...rest,
  }
}

function node(name: string, address: string, cidr: string): NodeObject {
  return {
    meta: meta('', name),
    evidence,
    podCIDRs: [cidr],
    addresses: [{ type: 'InternalIP', address }],
    conditions: [],
    taints: [],
    allocatable: {},
  }
}

export function service(
  namespace: string,
  name: string,
  selector: Labels,
  ip: string,
  ports: readonly (readonly [number, number | string])[],
): ServiceObject {
  return {
    meta: meta(namespace, name),
    evidence,
    type: 'ClusterIP',
    clusterIPs: [ip],
    externalIPs: [],
    ports: ports.map(([port, targetPort]) => ({ name: '', port, protocol: 'TCP', targetPort })),
    selector,
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    sessionAffinity: 'None',
    sessionAffinityTimeout: 10800,
    loadBalancerSourceRanges: [],
    loadBalancerIngress: [],
    ipFamilies: ['IPv4'],
    publishNotReadyAddresses: false,
  }
}

/** A NetworkPolicy; `spec` is YAML, or what YAML would give. */
export function policy(namespace: string, name: string, spec: string | object): OtherObject {
  return other('networking.k8s.io/v1', 'NetworkPolicy', namespace, name, spec)
}

export function other(
  apiVersion: string,
  kind: string,
  namespace: string,
  name: string,
  spec: string | object,
): OtherObject {
  const value: unknown = typeof spec === 'string' ? parse(spec) : spec
  return { apiVersion, kind, meta: meta(namespace, name), evidence, raw: { spec: value } }
}

const KINDS = ['Pod', 'Node', 'Namespace', 'Service', 'NetworkPolicy']

/** shop/{web,api,old,pend}, tools/client, kube-system/{dns,proxy(hostNetwork)}, node1 and node2, 203.0.113.9 outside. */
export function world(others: readonly OtherObject[], more: Partial<KubeObjects> = {}): KubeObjects {
  return {
    nodes: [node('node1', '172.30.0.11', '10.244.1.0/24'), node('node2', '172.30.0.12', '10.244.2.0/24')],
    pods: [
      pod('shop', 'web', { app: 'web', tier: 'front' }, 'node1', ['10.244.1.10'], { ports: [['http', 8080, 'TCP']] }),
      pod('shop', 'api', { app: 'api' }, 'node2', ['10.244.2.10'], {
        ports: [
          ['http', 9090, 'TCP'],
          ['sync', 7000, 'UDP'],
        ],
      }),
      pod('shop', 'dual', { app: 'dual' }, 'node2', ['10.244.2.11', 'fd00:2::11']),
      pod('shop', 'old', { app: 'web' }, 'node1', ['10.244.1.66'], { phase: 'Succeeded' }),
      pod('tools', 'client', { app: 'client', empty: '' }, 'node1', ['10.244.1.20']),
      pod('bare', 'one', { app: 'web' }, 'node1', ['10.244.1.30']),
      pod('kube-system', 'dns', { 'k8s-app': 'kube-dns' }, 'node2', ['10.244.2.53']),
      pod('kube-system', 'proxy', { app: 'web' }, 'node1', ['172.30.0.11'], {
        hostNetwork: true,
        hostIP: '172.30.0.11',
      }),
    ],
    services: [
      service('shop', 'web', { app: 'web' }, '10.96.0.80', [[80, 'http']]),
      service('shop', 'api', { app: 'api' }, '10.96.0.90', [[8080, 9090]]),
    ],
    endpointSlices: [],
    // Namespace `bare` has pods but no object.
    namespaces: ['shop', 'tools', 'kube-system'].map((n) => ({
      meta: meta('', n, n === 'tools' ? { team: 'ops' } : {}),
      evidence,
    })),
    events: [],
    others,
    known: new Set(KINDS),
    ...more,
  }
}

/** `shop/web`, `node:node1` or an address. */
export function end(text: string): PolicyEnd {
  if (text.startsWith('node:')) return { kind: 'node', name: text.slice(5) }
  const ip = parseIp(text)
  if (ip) return { kind: 'ip', ip }
  const [namespace, name] = text.split('/')
  return { kind: 'pod', namespace: namespace!, name: name! }
}
