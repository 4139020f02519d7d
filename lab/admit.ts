/** What the API server does to an object before it stores it: defaults, addresses, node ports. */
import { runningStatus, uidOf } from './content.ts'
import { LabError } from './errors.ts'
import {
  describe,
  isMap,
  type KubeJson,
  kindOf,
  listAt,
  mapAt,
  nameOf,
  namespaceOf,
  ofKind,
  stringsAt,
  textAt,
} from './kubejson.ts'
import { families, type LabOptions, NODES, nodeIP, nodePlan, podIP, podNumber } from './plan.ts'

/** RFC 7386 merge patch. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return patch
  const out: KubeJson = isMap(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key]
    else out[key] = mergePatch(out[key], value)
  }
  return out
}

/** The object as it is stored. `before`: the stored one of that name; `all`: everything stored. A LabError for a bad one. */
export function admit(
  object: KubeJson,
  before: KubeJson | undefined,
  all: readonly KubeJson[],
  options: LabOptions,
): KubeJson {
  const kind = kindOf(object)
  const [namespace, name] = [namespaceOf(object), nameOf(object)]
  if (namespace !== '' && !ofKind(all, 'Namespace').some((n) => nameOf(n) === namespace))
    throw new LabError(2, `${describe(object)}: namespace '${namespace}' is not in the lab`)
  const meta = {
    uid: textAt(before ?? {}, 'metadata', 'uid') || uidOf(kind, namespace, name),
    creationTimestamp: textAt(before ?? {}, 'metadata', 'creationTimestamp') || new Date().toISOString(),
    ...mapAt(object, 'metadata'),
  }
  const whole = { ...object, metadata: meta }
  switch (kind) {
    case 'Service':
      return service(whole, before, all, options)
    case 'Pod':
      return before ? (mergePatch(before, fixedPod(object, before)) as KubeJson) : newPod(whole, all, options)
    case 'Node':
      if (!before) throw new LabError(2, `${describe(object)}: the lab has ${NODES.length} nodes and makes no more`)
      return mergePatch(before, object) as KubeJson
    case 'Namespace':
      return {
        ...whole,
        metadata: { ...meta, labels: { ...mapAt(object, 'metadata', 'labels'), 'kubernetes.io/metadata.name': name } },
        status: { phase: 'Active' },
      }
    case 'NetworkPolicy':
      if (!isMap(mapAt(object, 'spec').podSelector))
        throw new LabError(2, `${describe(object)}: spec.podSelector is missing`)
      checkPolicy(object)
      return whole
    default:
      return whole
  }
}

/** What reaches a rule must be what it seems: addresses and numbers, nothing else. */
function checkPolicy(policy: KubeJson): void {
  for (const [direction, side] of [
    ['ingress', 'from'],
    ['egress', 'to'],
  ] as const)
    for (const rule of listAt(policy, 'spec', direction)) {
      for (const p of listAt(rule, 'ports')) {
        const protocol = textAt(p, 'protocol') || 'TCP'
        if (!['TCP', 'UDP', 'SCTP'].includes(protocol))
          throw new LabError(2, `${describe(policy)}: protocol '${protocol}' is not TCP, UDP or SCTP`)
        for (const n of [p.port, p.endPort])
          if (typeof n === 'number' && !(Number.isInteger(n) && n > 0 && n < 65536))
            throw new LabError(2, `${describe(policy)}: ${n} is not a port`)
      }
      for (const peer of listAt(rule, side)) {
        const block = mapAt(peer, 'ipBlock')
        for (const cidr of [...(isMap(peer.ipBlock) ? [block.cidr] : []), ...stringsAt(block, 'except')])
          if (typeof cidr !== 'string' || !/^[0-9a-fA-F.:]+\/\d{1,3}$/.test(cidr))
            throw new LabError(2, `${describe(policy)}: '${String(cidr)}' is not an address block`)
      }
    }
}

function service(
  whole: KubeJson,
  before: KubeJson | undefined,
  all: readonly KubeJson[],
  options: LabOptions,
): KubeJson {
  const spec = mapAt(whole, 'spec')
  const type = textAt(whole, 'spec', 'type') || 'ClusterIP'
  const others = ofKind(all, 'Service').filter((s) => describe(s) !== describe(whole))
  const fs = families(options.stack)
  const ipFamilies = Array.isArray(spec.ipFamilies)
    ? spec.ipFamilies
    : fs
        .slice(0, spec.ipFamilyPolicy === 'RequireDualStack' || spec.ipFamilyPolicy === 'PreferDualStack' ? 2 : 1)
        .map((f) => `IPv${f}`)
  let clusterIPs = stringsAt(whole, 'spec', 'clusterIPs')
  if (clusterIPs.length === 0 && typeof spec.clusterIP === 'string' && spec.clusterIP !== '')
    clusterIPs = [spec.clusterIP]
  if (clusterIPs.length === 0 && before) clusterIPs = stringsAt(before, 'spec', 'clusterIPs')
  if (clusterIPs.length === 0 && type !== 'ExternalName') {
    const taken = new Set(others.flatMap((s) => stringsAt(s, 'spec', 'clusterIPs')))
    clusterIPs = fs
      .filter((f) => ipFamilies.includes(`IPv${f}`))
      .map((f) => firstFree((n) => (f === 4 ? `10.96.20.${n}` : `fd00:10:96::20${n}`), taken))
  }
  const hasNodePorts = type === 'NodePort' || type === 'LoadBalancer'
  const usedPorts = new Set(others.flatMap((s) => listAt(s, 'spec', 'ports').map((p) => p.nodePort)))
  const ports = listAt(whole, 'spec', 'ports').map((p, i) => {
    if (typeof p.port !== 'number' || !Number.isInteger(p.port) || p.port < 1 || p.port > 65535)
      throw new LabError(2, `${describe(whole)}: port ${i + 1} has no number from 1 to 65535`)
    const protocol = textAt(p, 'protocol') || 'TCP'
    if (!['TCP', 'UDP', 'SCTP'].includes(protocol))
      throw new LabError(2, `${describe(whole)}: protocol '${protocol}' is not TCP, UDP or SCTP`)
    const known = listAt(before ?? {}, 'spec', 'ports').find(
      (b) => b.port === p.port && textAt(b, 'protocol') === protocol,
    )
    let nodePort = p.nodePort ?? known?.nodePort
    if (hasNodePorts && nodePort === undefined)
      for (nodePort = 30100; usedPorts.has(nodePort); ) nodePort = (nodePort as number) + 1
    usedPorts.add(nodePort)
    return { ...p, protocol, targetPort: p.targetPort ?? p.port, ...(hasNodePorts ? { nodePort } : {}) }
  })
  return {
    ...whole,
    spec: {
      internalTrafficPolicy: 'Cluster',
      sessionAffinity: 'None',
      ...(hasNodePorts ? { externalTrafficPolicy: 'Cluster' } : {}),
      ...spec,
      type,
      ipFamilies,
      ...(clusterIPs.length > 0 ? { clusterIP: clusterIPs[0], clusterIPs } : {}),
      ports,
    },
    status: whole.status ?? before?.status ?? { loadBalancer: {} },
  }
}

function firstFree(make: (n: number) => string, taken: ReadonlySet<string>): string {
  for (let n = 1; n < 255; n++) if (!taken.has(make(n))) return make(n)
  throw new LabError(4, 'the lab has no address left for another Service')
}

/** A pod that runs stays where it is, with its addresses. */
function fixedPod(patch: KubeJson, before: KubeJson): KubeJson {
  const node = textAt(patch, 'spec', 'nodeName')
  if (node !== '' && node !== textAt(before, 'spec', 'nodeName'))
    throw new LabError(2, `${describe(patch)}: a pod does not move; delete it first`)
  const { podIP: _ip, podIPs: _ips, hostIP: _host, ...status } = mapAt(patch, 'status')
  return { ...patch, status }
}

function newPod(whole: KubeJson, all: readonly KubeJson[], options: LabOptions): KubeJson {
  const pods = ofKind(all, 'Pod')
  const on = (name: string) => pods.filter((p) => textAt(p, 'spec', 'nodeName') === name)
  const wanted = textAt(whole, 'spec', 'nodeName')
  const node =
    wanted === '' ? [...NODES.slice(1)].sort((x, y) => on(x.name).length - on(y.name).length)[0]! : nodePlan(wanted)
  if (!node) throw new LabError(2, `${describe(whole)}: there is no node '${wanted}'`)
  const containers = listAt(whole, 'spec', 'containers')
  if (containers.length === 0) throw new LabError(2, `${describe(whole)}: spec.containers is empty`)
  for (const p of containers.flatMap((c) => listAt(c, 'ports')))
    if (
      typeof p.containerPort !== 'number' ||
      !Number.isInteger(p.containerPort) ||
      p.containerPort < 1 ||
      p.containerPort > 65535
    )
      throw new LabError(2, `${describe(whole)}: a containerPort is not from 1 to 65535`)
  const fs = families(options.stack)
  const used = new Set(on(node.name).map((p) => podNumber(node, textAt(p, 'status', 'podIP'))))
  let number = 100
  while (used.has(number)) if (++number > 250) throw new LabError(4, `${node.name} has no pod address left`)
  const given = mapAt(whole, 'status')
  const status = runningStatus(
    textAt(containers[0]!, 'name'),
    nodeIP(node, fs[0]!),
    fs.map((f) => podIP(node, number, f)),
  )
  return {
    ...whole,
    spec: { dnsPolicy: 'ClusterFirst', ...mapAt(whole, 'spec'), nodeName: node.name },
    status: { ...status, ...(Array.isArray(given.conditions) ? { conditions: given.conditions } : {}) },
  }
}
