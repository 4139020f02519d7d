/**
 * The EndpointSlice controller: slices of every Service that has a selector, from the pods as they are.
 * Source: kube-controller-manager pkg/controller/endpointslice and k8s.io/endpointslice `reconciler` (1.34).
 */
import { createHash } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { uidOf } from './content.ts'
import { type KubeJson, kindOf, labelsOf, listAt, mapAt, nameOf, namespaceOf, ofKind, textAt } from './kubejson.ts'

const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by'
const CONTROLLER = 'endpointslice-controller.k8s.io'

/** The objects with the controller's slices made anew; slices that others wrote are left alone. */
export function withSlices(objects: readonly KubeJson[]): KubeJson[] {
  const kept = objects.filter((o) => kindOf(o) !== 'EndpointSlice' || labelsOf(o)[MANAGED_BY] !== CONTROLLER)
  return [...kept, ...ofKind(kept, 'Service').flatMap((s) => slicesOf(s, ofKind(kept, 'Pod')))]
}

function slicesOf(service: KubeJson, pods: readonly KubeJson[]): KubeJson[] {
  const selector = Object.entries(mapAt(service, 'spec', 'selector'))
  if (selector.length === 0 || textAt(service, 'spec', 'type') === 'ExternalName') return []
  const namespace = namespaceOf(service)
  const chosen = pods.filter((pod) => {
    const labels = labelsOf(pod)
    const phase = textAt(pod, 'status', 'phase')
    if (namespaceOf(pod) !== namespace || phase === 'Succeeded' || phase === 'Failed') return false
    return selector.every(([k, v]) => labels[k] === v)
  })
  const out: KubeJson[] = []
  for (const family of familiesOf(service)) {
    // Pods whose named ports resolve differently go into slices of their own.
    const groups = new Map<string, { ports: KubeJson[]; pods: KubeJson[] }>()
    for (const pod of chosen) {
      if (addressOf(pod, family) === undefined) continue
      const ports = portsOf(service, pod)
      const key = JSON.stringify(ports)
      const group = groups.get(key)
      if (group) group.pods.push(pod)
      else groups.set(key, { ports, pods: [pod] })
    }
    if (groups.size === 0) groups.set('', { ports: portsOf(service, undefined), pods: [] })
    for (const [key, group] of groups) {
      const suffix = createHash('sha1').update(`${family}${key}`).digest('hex').slice(0, 5)
      const name = `${nameOf(service)}-${suffix}`
      out.push({
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: {
          name,
          namespace,
          uid: uidOf('EndpointSlice', namespace, name),
          labels: {
            [MANAGED_BY]: CONTROLLER,
            'kubernetes.io/service-name': nameOf(service),
            ...(textAt(service, 'spec', 'clusterIP') === 'None' ? { 'service.kubernetes.io/headless': '' } : {}),
          },
          ownerReferences: [{ apiVersion: 'v1', kind: 'Service', name: nameOf(service), controller: true }],
        },
        addressType: `IPv${family}`,
        endpoints: group.pods.map((pod) => endpoint(service, pod, addressOf(pod, family)!)),
        ports: group.ports,
      })
    }
  }
  return out
}

function familiesOf(service: KubeJson): (4 | 6)[] {
  const families = mapAt(service, 'spec').ipFamilies
  const list = Array.isArray(families) ? families : ['IPv4']
  return ([4, 6] as const).filter((f) => list.includes(`IPv${f}`))
}

function addressOf(pod: KubeJson, family: 4 | 6): string | undefined {
  return listAt(pod, 'status', 'podIPs')
    .map((p) => textAt(p, 'ip'))
    .find((ip) => ip !== '' && isIPv6(ip) === (family === 6))
}

/** The ports as this pod serves them; a named target port that the pod lacks is left out, as the controller does. */
function portsOf(service: KubeJson, pod: KubeJson | undefined): KubeJson[] {
  const out: KubeJson[] = []
  for (const p of listAt(service, 'spec', 'ports')) {
    const protocol = textAt(p, 'protocol') || 'TCP'
    const target = p.targetPort ?? p.port
    const port =
      typeof target === 'number'
        ? target
        : listAt(pod ?? {}, 'spec', 'containers')
            .flatMap((c) => listAt(c, 'ports'))
            .find((c) => c.name === target && (textAt(c, 'protocol') || 'TCP') === protocol)?.containerPort
    if (typeof port === 'number') out.push({ name: textAt(p, 'name'), port, protocol })
  }
  return out
}

function endpoint(service: KubeJson, pod: KubeJson, address: string): KubeJson {
  const serving = listAt(pod, 'status', 'conditions').some((c) => c.type === 'Ready' && c.status === 'True')
  const terminating = textAt(pod, 'metadata', 'deletionTimestamp') !== ''
  const anyway = mapAt(service, 'spec').publishNotReadyAddresses === true
  const hostname = textAt(pod, 'spec', 'hostname')
  return {
    addresses: [address],
    conditions: { ready: anyway || (serving && !terminating), serving: serving || anyway, terminating },
    ...(hostname !== '' && textAt(pod, 'spec', 'subdomain') === nameOf(service) ? { hostname } : {}),
    nodeName: textAt(pod, 'spec', 'nodeName'),
    targetRef: { kind: 'Pod', namespace: namespaceOf(pod), name: nameOf(pod), uid: textAt(pod, 'metadata', 'uid') },
  }
}
