/** Decisions about what works beside the pod network: name service, service mesh, traffic shaping (A1.5). */
import type { Evidence } from '../../model/evidence.ts'
import type { Decision } from '../../model/inventory.ts'
import { chainMaker } from '../view/rule-owner.ts'
import { dnsServices, selectedPods } from '../view/service-view.ts'
import { usedConfig } from './cni.ts'
import { ofCluster, several, unknown } from './decision.ts'
import { runningText, withRole } from './software.ts'
import { hostsOf, podNetnsOf, type Surroundings } from './surroundings.ts'

const DNS = { id: 'dns', title: 'DNS' }
const MESH = { id: 'mesh', title: 'service mesh' }
const SHAPING = { id: 'bandwidth', title: 'bandwidth shaping' }

export function dns(s: Surroundings): Decision {
  const servers = withRole(s.software, 'dns')
  const services = dnsServices(s.objects)
  const cache = withRole(s.software, 'dns-cache')
  const local = hostsOf(s).flatMap((h) => h.links.filter((l) => l.name === 'nodelocaldns'))
  const evidence = [...servers, ...cache].map((r) => r.evidence)
  if (servers.length === 0 && services.length === 0) {
    const lost = [['Service', 'Services'] as const, ['Pod', 'pods'] as const].filter(([k]) => !s.objects.known.has(k))
    if (lost.length === 2) return unknown(DNS, 'neither Services nor pods were collected')
    if (lost[0]) return unknown(DNS, `${lost[0][1]} were not collected`)
    return ofCluster(DNS, { state: 'absent', value: 'no DNS Service and no DNS pods seen', evidence })
  }
  const addresses = services.flatMap((x) => x.clusterIPs).filter((a) => a !== 'None')
  const behind = services.flatMap((x) => selectedPods(s.objects, x))
  const ready = behind.filter((p) => p.conditions.some((c) => c.type === 'Ready' && c.status === 'True')).length
  const who =
    servers.length > 0
      ? servers.map(runningText).join(', ')
      : !s.objects.known.has('Pod')
        ? 'pods not collected'
        : behind.length === 0
          ? 'no pods'
          : `${ready} of ${several(behind.length, 'pod')} ready, of software not known to netwhy,`
  const parts = [
    who,
    ...(addresses.length > 0 ? [`at ${addresses.join(', ')}`] : ['without a Service']),
    ...(cache.length > 0 || local.length > 0 ? ['with a cache on each node (node-local-dns)'] : []),
  ]
  return ofCluster(DNS, {
    value: parts.join(' '),
    owner: servers[0]?.product.name ?? null,
    evidence: [...evidence, ...services.map((x) => x.evidence), ...local.map((l) => l.evidence)],
  })
}

const SIDECARS: readonly (readonly [RegExp, string])[] = [
  [/^istio-proxy$/, 'Istio'],
  [/^linkerd-proxy$/, 'Linkerd'],
  [/^kuma-sidecar$/, 'Kuma'],
  [/^consul-dataplane$|^envoy-sidecar$/, 'Consul'],
]

export function mesh(s: Surroundings): Decision {
  const planes = withRole(s.software, 'mesh')
  const sidecars = new Map<string, { pods: number; evidence: Evidence }>()
  for (const pod of s.objects.pods)
    for (const [name, product] of SIDECARS)
      if (pod.containers.some((c) => name.test(c.name))) {
        const known = sidecars.get(product)
        sidecars.set(product, { pods: (known?.pods ?? 0) + 1, evidence: known?.evidence ?? pod.evidence })
      }
  const redirects = new Map<string, { pods: number; evidence: Evidence }>()
  for (const netns of podNetnsOf(s)) {
    const found = new Map<string, Evidence>()
    for (const ruleset of netns.rulesets)
      for (const table of ruleset.tables)
        for (const chain of table.chains.values()) {
          const maker = chainMaker(table.name, chain.name)
          if (maker?.role === 'mesh')
            found.set(maker.name, { artefact: ruleset.artefact, line: chain.line, text: `${table.name} ${chain.name}` })
        }
    for (const [name, evidence] of found) {
      const known = redirects.get(name)
      redirects.set(name, { pods: (known?.pods ?? 0) + 1, evidence: known?.evidence ?? evidence })
    }
  }
  const names = [...new Set([...planes.map((p) => p.product.name), ...sidecars.keys(), ...redirects.keys()])]
  if (names.length === 0) {
    if (!s.objects.known.has('Pod') && podNetnsOf(s).length === 0)
      return unknown(MESH, 'neither pods nor their rules were collected')
    return ofCluster(MESH, { state: 'absent', value: 'none', evidence: [] })
  }
  const text = names.map((n) => {
    const parts = [
      ...(sidecars.has(n) ? [`sidecar in ${several(sidecars.get(n)!.pods, 'pod')}`] : []),
      ...(redirects.has(n) ? [`redirect rules in ${several(redirects.get(n)!.pods, 'pod')}`] : []),
    ]
    return parts.length > 0 ? `${n} (${parts.join(', ')})` : n
  })
  return ofCluster(MESH, {
    value: text.join(', '),
    owner: names.join(', '),
    evidence: [...planes, ...sidecars.values(), ...redirects.values()].map((x) => x.evidence),
  })
}

/** Queueing disciplines that hold packets back to a rate; fq_codel and the like share, they do not limit. */
const SHAPERS = new Set(['tbf', 'htb', 'hfsc', 'cbq', 'netem', 'cake'])

export function bandwidth(s: Surroundings): Decision {
  const asked = s.objects.pods.filter((p) =>
    Object.keys(p.meta.annotations).some((k) => /^kubernetes\.io\/(in|e)gress-bandwidth$/.test(k)),
  )
  const netns = [...hostsOf(s), ...podNetnsOf(s)]
  const shaped = netns.flatMap((n) => n.qdiscs.filter((q) => SHAPERS.has(q.kind)))
  const cilium = netns.flatMap((n) =>
    n.links.some((l) => l.name === 'cilium_host') ? n.qdiscs.filter((q) => q.kind === 'fq') : [],
  )
  const configs = s.nodes.flatMap((n) => usedConfig(s.network.nodes.get(n)?.files?.cniConfigs) ?? [])
  const plugin = configs.find((c) => c.config?.plugins.some((p) => p.type === 'bandwidth'))
  const parts = [
    ...(asked.length > 0 ? [`${several(asked.length, 'pod')} with a limit asked for`] : []),
    ...(shaped.length > 0
      ? [`${several(shaped.length, 'shaping queue')} (${[...new Set(shaped.map((q) => q.kind))].join(', ')})`]
      : []),
    ...(cilium.length > 0 ? ['fq queues of Cilium'] : []),
    ...(plugin ? ['bandwidth plugin in the CNI chain'] : []),
  ]
  const evidence = [
    ...asked.map((p) => p.evidence),
    ...[...shaped, ...cilium].map((q) => q.evidence),
    ...(plugin ? [plugin.evidence] : []),
  ]
  if (parts.length > 0)
    return ofCluster(SHAPING, {
      value: parts.join(', '),
      owner: plugin ? 'CNI bandwidth plugin' : cilium.length > 0 ? 'Cilium' : null,
      evidence,
    })
  const looked = netns.some((n) => n.known.has('tc'))
  if (!looked && !s.objects.known.has('Pod'))
    return unknown(SHAPING, 'neither pods nor queueing disciplines were collected')
  return ofCluster(SHAPING, {
    state: 'absent',
    value: 'none',
    ...(looked ? {} : { why: 'queueing disciplines not collected; no pod asks for a limit' }),
    evidence: [],
  })
}
