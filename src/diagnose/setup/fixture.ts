/** Clusters for tests of the set-up: Kubernetes objects as an API server writes them, in few words. */
import { decodeObjects } from '../../kubeobj/decode.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { Network, NetworkNode } from '../../model/network.ts'
import type { CniConfigFile, DirectoryListing, NodeFiles } from '../../model/node-files.ts'
import type { ClusterState } from '../cluster/check.ts'

type Json = Record<string, unknown>

export const said = (text: string, artefact = 'nodes/node1/node/x'): Evidence => ({ artefact, line: 1, text })

const NO_CNI =
  'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized'

/** `ready`: True, False with kubelet's words for no plugin, Unknown, or False with a message of its own. */
export function node(
  name: string,
  ready: 'True' | 'no-cni' | 'Unknown' | { readonly message: string } = 'True',
  more: { spec?: Json; status?: Json; metadata?: Json } = {},
): Json {
  const n = Number(/\d+$/.exec(name)?.[0] ?? 1)
  const condition =
    ready === 'no-cni'
      ? { status: 'False', reason: 'KubeletNotReady', message: NO_CNI }
      : typeof ready === 'object'
        ? { status: 'False', reason: 'KubeletNotReady', message: ready.message }
        : { status: ready, reason: ready === 'Unknown' ? 'NodeStatusUnknown' : 'KubeletReady' }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, ...more.metadata },
    spec: { podCIDR: `10.244.${n}.0/24`, podCIDRs: [`10.244.${n}.0/24`], ...more.spec },
    status: {
      addresses: [{ type: 'InternalIP', address: `172.30.0.1${n}` }],
      nodeInfo: { containerRuntimeVersion: 'containerd://1.7.20' },
      conditions: [{ type: 'Ready', lastHeartbeatTime: '2026-11-21T00:10:00Z', ...condition }],
      ...more.status,
    },
  }
}

interface PodWords {
  readonly node?: string
  readonly ip?: string
  readonly phase?: string
  readonly ready?: boolean
  readonly labels?: Record<string, string>
  readonly hostNetwork?: boolean
  readonly waiting?: string
  readonly restarts?: number
  readonly image?: string
  readonly args?: readonly string[]
  readonly ports?: readonly Json[]
  readonly since?: string
}

/** `pod('kube-system/coredns-1', { node: 'node1', ip: … })`: Running and ready unless said otherwise; without an address Pending. */
export function pod(name: string, w: PodWords): Json {
  const [namespace, short] = name.split('/') as [string, string]
  const phase = w.phase ?? (w.ip === undefined && !w.hostNetwork ? 'Pending' : 'Running')
  const ready = w.ready ?? phase === 'Running'
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name: short, labels: w.labels ?? {} },
    spec: {
      ...(w.node === undefined ? {} : { nodeName: w.node }),
      hostNetwork: w.hostNetwork === true,
      containers: [{ name: 'c', image: w.image ?? 'x', args: w.args ?? [], ports: w.ports ?? [] }],
    },
    status: {
      phase,
      ...(w.ip === undefined ? {} : { podIP: w.ip, podIPs: [{ ip: w.ip }] }),
      conditions: [
        { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: w.since ?? '2026-11-21T00:00:00Z' },
      ],
      containerStatuses: [
        {
          name: 'c',
          ready,
          restartCount: w.restarts ?? 0,
          state: w.waiting === undefined ? { running: {} } : { waiting: { reason: w.waiting } },
        },
      ],
    },
  }
}

export function event(reason: string, about: string, message: string, kind = 'Pod'): Json {
  const [namespace, name] = about.split('/') as [string, string]
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { namespace, name: `${name}.${reason}` },
    type: 'Warning',
    reason,
    message,
    count: 3,
    lastTimestamp: '2026-11-21T00:10:00Z',
    involvedObject: { kind, namespace, name },
  }
}

export const dnsService: Json = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'kube-system', name: 'kube-dns' },
  spec: { clusterIP: '10.96.0.10', selector: { 'k8s-app': 'kube-dns' }, ports: [{ port: 53, protocol: 'UDP' }] },
}

/** All kinds are known, also those of which there is none. */
export function objects(...values: readonly Json[]): KubeObjects {
  const kinds = ['Node', 'Pod', 'Service', 'EndpointSlice', 'Event', 'NetworkPolicy']
  const lists = kinds.map((k) => ({ kind: `${k}List`, apiVersion: 'v1', items: [] }))
  return decodeObjects([...lists, ...values].map((value) => ({ artefact: 'objects/all.json', value }))).value
}

export function listing(path: string, ...names: readonly string[]): DirectoryListing {
  const evidence = said(`${path}: ${names.join(' ')}`)
  return {
    path,
    exists: true,
    entries: names.map((name) => ({ name, kind: 'file', executable: true, evidence })),
    evidence,
  }
}

/** A file of /etc/cni/net.d whose chain is these plugins; none: broken. */
export function cni(name: string, ...types: readonly string[]): CniConfigFile {
  const plugins = types.map((type) => ({
    type,
    subnets: [],
    gateways: [],
    capabilities: type === 'portmap' ? ['portMappings'] : [],
  }))
  const config = types.length === 0 ? null : { name, cniVersion: '1.0.0', plugins }
  return { name, config, ...(config ? {} : { broken: 'not JSON' }), evidence: said(`${name}: ${types.join(' ')}`) }
}

/** The objects with files of nodes, and no netns. */
export function withFiles(
  of: KubeObjects,
  files: Readonly<Record<string, Partial<NodeFiles>>>,
  base?: Network,
): ClusterState {
  const nodes = new Map<string, NetworkNode>(base?.nodes ?? [])
  for (const [name, f] of Object.entries(files))
    nodes.set(name, { ...(nodes.get(name) ?? { name, pods: [] }), files: { logs: [], ...f } })
  return { objects: of, network: { nodes, netns: base?.netns ?? new Map(), issues: [], missing: [] } }
}
