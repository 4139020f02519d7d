/** The objects a new lab starts with, as the API server would show them. */
import { createHash } from 'node:crypto'
import type { KubeJson } from './kubejson.ts'
import {
  DNS_SERVICE,
  families,
  KUBERNETES_SERVICE,
  type LabOptions,
  NODES,
  type NodePlan,
  nodeIP,
  POD_CIDR,
  podCIDR,
  podIP,
  tunnelIP,
  UNDERLAY_LENGTH,
  UPSTREAM_DNS,
  vtepMac,
} from './plan.ts'

const CREATED = '2026-01-01T00:00:00Z'

/** A stable identifier in the form of a UUID, so that two labs compare equal. */
export function uidOf(kind: string, namespace: string, name: string): string {
  const h = createHash('sha1').update(`${kind}/${namespace}/${name}`).digest('hex')
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-4${h.slice(13, 16)}-8${h.slice(17, 20)}-${h.slice(20, 32)}`
}

function object(apiVersion: string, kind: string, namespace: string, name: string, rest: KubeJson): KubeJson {
  const { metadata, ...body } = rest
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace === '' ? {} : { namespace }),
      uid: uidOf(kind, namespace, name),
      creationTimestamp: CREATED,
      ...(metadata as KubeJson | undefined),
    },
    ...body,
  }
}

const PODS: readonly [ns: string, name: string, node: number, number: number, app: string, ports: KubeJson[]][] = [
  ['shop', 'web-1', 2, 10, 'web', [{ name: 'web', containerPort: 8080, protocol: 'TCP' }]],
  ['shop', 'web-2', 3, 10, 'web', [{ name: 'web', containerPort: 8080, protocol: 'TCP' }]],
  ['shop', 'api-1', 2, 20, 'api', [{ name: 'http', containerPort: 9090, protocol: 'TCP' }]],
  ['shop', 'api-2', 3, 20, 'api', [{ name: 'http', containerPort: 9090, protocol: 'TCP' }]],
  ['shop', 'db-0', 3, 30, 'db', [{ name: 'db', containerPort: 5432, protocol: 'TCP' }]],
  ['tools', 'client', 2, 40, 'client', []],
  ['kube-system', 'coredns-1', 2, 53, 'coredns', dnsPorts()],
  ['kube-system', 'coredns-2', 3, 53, 'coredns', dnsPorts()],
]

function dnsPorts(): KubeJson[] {
  return [
    { name: 'dns', containerPort: 53, protocol: 'UDP' },
    { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' },
  ]
}

/** The start content for a lab with these options; EndpointSlices of Services with a selector are not in it. */
export function startObjects(options: LabOptions): KubeJson[] {
  const fs = families(options.stack)
  const service = (ns: string, name: string, ips: readonly string[], spec: KubeJson) =>
    object('v1', 'Service', ns, name, {
      spec: {
        type: 'ClusterIP',
        clusterIP: ips[0],
        clusterIPs: ips,
        ipFamilies: fs.map((f) => `IPv${f}`),
        ipFamilyPolicy: fs.length > 1 ? 'RequireDualStack' : 'SingleStack',
        internalTrafficPolicy: 'Cluster',
        sessionAffinity: 'None',
        ...spec,
      },
      status: { loadBalancer: {} },
    })
  const vip = (number: number) => fs.map((f) => (f === 4 ? `10.96.10.${number}` : `fd00:10:96::10${number}`))
  return [
    ...NODES.map((node) => {
      const kernel = { kernelVersion: 'lab', operatingSystem: 'linux', kubeletVersion: 'v1.34.1' }
      return object('v1', 'Node', '', node.name, {
        metadata: {
          labels: {
            'kubernetes.io/hostname': node.name,
            'kubernetes.io/os': 'linux',
            ...(node.index === 1 ? { 'node-role.kubernetes.io/control-plane': '' } : {}),
          },
          annotations: annotationsOf(node, options),
        },
        spec: {
          podCIDR: podCIDR(node, fs[0]!),
          podCIDRs: fs.map((f) => podCIDR(node, f)),
          ...(node.index === 1
            ? { taints: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }] }
            : {}),
        },
        status: {
          allocatable: { pods: '110' },
          addresses: [
            ...fs.map((f) => ({ type: 'InternalIP', address: nodeIP(node, f) })),
            { type: 'Hostname', address: node.name },
          ],
          conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }],
          nodeInfo: { ...kernel, containerRuntimeVersion: 'containerd://2.1.4', kubeProxyVersion: 'v1.34.1' },
        },
      })
    }),
    ...['default', 'kube-system', 'shop', 'tools'].map((name) =>
      object('v1', 'Namespace', '', name, {
        metadata: { labels: { 'kubernetes.io/metadata.name': name } },
        spec: { finalizers: ['kubernetes'] },
        status: { phase: 'Active' },
      }),
    ),
    ...PODS.map(([ns, name, node, number, app, ports]) => {
      const coredns = app === 'coredns'
      return object('v1', 'Pod', ns, name, {
        metadata: { labels: coredns ? { 'k8s-app': 'kube-dns' } : { app } },
        spec: {
          nodeName: `node${node}`,
          dnsPolicy: coredns ? 'Default' : 'ClusterFirst',
          ...(name === 'db-0' ? { hostname: 'db-0', subdomain: 'db' } : {}),
          containers: [{ name: app, image: `registry.example/${app}:1`, ports }],
        },
        status: runningStatus(
          app,
          nodeIP(NODES[node - 1]!, fs[0]!),
          fs.map((f) => podIP(NODES[node - 1]!, number, f)),
        ),
      })
    }),
    service(
      'default',
      'kubernetes',
      fs.map((f) => KUBERNETES_SERVICE[f]),
      {
        ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }],
      },
    ),
    ...fs.map((f) =>
      object('discovery.k8s.io/v1', 'EndpointSlice', 'default', f === 4 ? 'kubernetes' : 'kubernetes-6', {
        metadata: { labels: { 'kubernetes.io/service-name': 'kubernetes' } },
        addressType: `IPv${f}`,
        endpoints: [{ addresses: [nodeIP(NODES[0]!, f)], conditions: { ready: true } }],
        ports: [{ name: 'https', port: 6443, protocol: 'TCP' }],
      }),
    ),
    service(
      'kube-system',
      'kube-dns',
      fs.map((f) => DNS_SERVICE[f]),
      {
        selector: { 'k8s-app': 'kube-dns' },
        ports: [
          { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
          { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
        ],
      },
    ),
    service('shop', 'web', vip(10), {
      type: 'NodePort',
      externalTrafficPolicy: 'Cluster',
      selector: { app: 'web' },
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080, nodePort: 30080 }],
    }),
    service('shop', 'api', vip(20), {
      selector: { app: 'api' },
      ports: [{ name: 'http', port: 8080, protocol: 'TCP', targetPort: 'http' }],
    }),
    service('shop', 'db', ['None'], {
      selector: { app: 'db' },
      ports: [{ name: 'db', port: 5432, protocol: 'TCP', targetPort: 5432 }],
    }),
    ...poolsOf(options),
    object('v1', 'ConfigMap', 'kube-system', 'coredns', {
      data: {
        Corefile: `.:53 {\n    errors\n    kubernetes cluster.local in-addr.arpa ip6.arpa {\n       pods insecure\n       fallthrough in-addr.arpa ip6.arpa\n    }\n    forward . ${UPSTREAM_DNS[fs[0]!]}\n    cache 30\n    loop\n}\n`,
      },
    }),
  ]
}

/** What flanneld or calico-node writes on its Node. */
function annotationsOf(node: NodePlan, options: LabOptions): KubeJson {
  const fs = families(options.stack)
  const out: KubeJson = {}
  for (const f of fs) {
    const six = f === 6
    if (options.topology === 'calico') {
      out[`projectcalico.org/IPv${f}Address`] = `${nodeIP(node, f)}/${UNDERLAY_LENGTH[f]}`
      out[`projectcalico.org/IPv${f}VXLANTunnelAddr`] = tunnelIP(node, f)
      continue
    }
    const vxlan = options.topology === 'flannel'
    out['flannel.alpha.coreos.com/backend-type'] = vxlan ? 'vxlan' : 'host-gw'
    out['flannel.alpha.coreos.com/kube-subnet-manager'] = 'true'
    out[`flannel.alpha.coreos.com/public-ip${six ? 'v6' : ''}`] = nodeIP(node, f)
    out[`flannel.alpha.coreos.com/backend-${six ? 'v6-' : ''}data`] = vxlan
      ? JSON.stringify({ VNI: 1, VtepMAC: vtepMac(node, f) })
      : 'null'
  }
  return out
}

/** Calico's address pools; flannel keeps none in the API. */
function poolsOf(options: LabOptions): KubeJson[] {
  if (options.topology !== 'calico') return []
  return families(options.stack).map((f) =>
    object('crd.projectcalico.org/v1', 'IPPool', '', `default-ipv${f}-ippool`, {
      spec: {
        cidr: POD_CIDR[f],
        blockSize: f === 4 ? 24 : 64,
        vxlanMode: 'Always',
        ipipMode: 'Never',
        natOutgoing: true,
      },
    }),
  )
}

/** The status of a pod whose one container runs and is ready. */
export function runningStatus(container: string, hostIP: string, ips: readonly string[]): KubeJson {
  return {
    phase: 'Running',
    hostIP,
    podIP: ips[0],
    podIPs: ips.map((ip) => ({ ip })),
    conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({ type, status: 'True' })),
    containerStatuses: [
      { name: container, ready: true, started: true, restartCount: 0, state: { running: { startedAt: CREATED } } },
    ],
  }
}
