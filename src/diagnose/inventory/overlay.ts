/** Decision: do pods' packets cross the network between nodes as they are, or wrapped (A1.2). */
import type { Evidence } from '../../model/evidence.ts'
import type { Decision } from '../../model/inventory.ts'
import type { Netns } from '../../model/network.ts'
import { linkOwner, signs } from './cni-signs.ts'
import { type NodeFact, ofCluster, ofNodes, unknown } from './decision.ts'
import { askHosts, configMap, type Surroundings } from './surroundings.ts'
import { type Way, waysFrom } from './way-between-nodes.ts'

const HEADING = { id: 'overlay', title: 'pods between nodes' }

export function overlay(s: Surroundings): Decision {
  const facts = askHosts(s, (host, node) => factOf(s, host, node))
  if (facts.some((f) => f.state !== 'unknown')) return ofNodes(HEADING, facts)
  const declared = declaredOverlay(s)
  const [why] = facts.flatMap((f) => (f.state === 'unknown' ? [f.why] : []))
  if (!declared)
    return unknown(
      HEADING,
      why === undefined ? 'no node is known' : `routes: ${why}; no object names the encapsulation`,
    )
  return ofCluster(HEADING, {
    ...declared,
    value: `${declared.value}, as ${declared.where} says`,
    why: 'no node was collected: what its routes do was not seen',
  })
}

function factOf(s: Surroundings, host: Netns, node: string): NodeFact {
  const families = ([4, 6] as const).map((family) => ({ family, ways: waysFrom(s, host, family) }))
  const used = families.filter((f) => f.ways.length > 0)
  if (used.length === 0) return { node, state: 'unknown', why: 'no pod of another node is known' }
  const texts = used.map(({ family, ways }) => ({ family, text: waysText(ways) }))
  const all = used.flatMap((u) => u.ways.map((w) => w.way))
  const known = all.filter((w) => w.kind !== 'unknown')
  if (known.length === 0)
    return { node, state: 'unknown', why: all.map((w) => (w.kind === 'unknown' ? w.why : ''))[0]! }
  const same = new Set(texts.map((t) => t.text)).size === 1
  const overlays = known.filter((w) => w.kind === 'tunnel')
  return {
    node,
    state: overlays.length > 0 ? 'present' : 'absent',
    value: same ? texts[0]!.text : texts.map((t) => `IPv${t.family}: ${t.text}`).join(', '),
    owner: overlays[0] ? (linkOwner(overlays[0].link.name) ?? signs(host)[0]?.owner ?? null) : null,
    evidence: known.flatMap((w) => w.evidence ?? []),
  }
}

function waysText(ways: readonly { readonly way: Way; readonly to: readonly string[] }[]): string {
  const total = ways.reduce((n, w) => n + w.to.length, 0)
  return [...ways]
    .sort((a, b) => b.to.length - a.to.length)
    .map(({ way, to }) => `${wayText(way)}${ways.length > 1 ? ` [${to.length} of ${total} nodes]` : ''}`)
    .join('; ')
}

function wayText(way: Way): string {
  switch (way.kind) {
    case 'tunnel':
      return `overlay: ${way.text} (${way.link.name})`
    case 'direct':
      return `no overlay: ${way.text}`
    case 'router':
      return `no overlay: ${way.text}`
    case 'none':
      return way.text
    case 'unknown':
      return `not known: ${way.why}`
  }
}

/** What the makers' objects say, for clusters whose nodes were not looked at. */
function declaredOverlay(
  s: Surroundings,
): { value: string; where: string; owner: string; state?: 'absent'; evidence: readonly Evidence[] } | null {
  for (const n of s.objects.nodes) {
    const type = n.meta.annotations['flannel.alpha.coreos.com/backend-type']
    if (type !== undefined) return flannelBackend(type, "flannel's annotation on the nodes", n.evidence)
  }
  const flannel = configMap(s, /^kube-flannel-cfg$/)
  const backend = /"Type"\s*:\s*"([a-z-]+)"/.exec(flannel?.data['net-conf.json'] ?? '')?.[1]
  if (flannel && backend !== undefined) return flannelBackend(backend, 'ConfigMap kube-flannel-cfg', flannel.evidence)
  const pool = s.objects.others.find((o) => o.kind === 'IPPool' && o.apiVersion.includes('projectcalico.org'))
  if (pool) {
    const spec = (pool.raw.spec ?? {}) as Record<string, unknown>
    const modes = [
      ['VXLAN', spec.vxlanMode],
      ['IPIP', spec.ipipMode],
    ].filter(([, mode]) => typeof mode === 'string' && mode !== 'Never')
    const base = { where: `IPPool ${pool.meta.name}`, owner: 'Calico', evidence: [pool.evidence] }
    const [mode] = modes
    if (!mode) return { ...base, value: 'no overlay', state: 'absent' }
    return { ...base, value: `overlay: ${mode[0]}${mode[1] === 'CrossSubnet' ? ' between subnets only' : ''}` }
  }
  const cilium = configMap(s, /^cilium-config$/)
  if (cilium) {
    const mode = cilium.data['routing-mode'] ?? (cilium.data.tunnel === 'disabled' ? 'native' : undefined)
    const protocol = cilium.data['tunnel-protocol'] ?? cilium.data.tunnel ?? 'vxlan'
    const base = { where: 'ConfigMap cilium-config', owner: 'Cilium', evidence: [cilium.evidence] }
    return mode === 'native'
      ? { ...base, value: 'no overlay: native routing', state: 'absent' }
      : { ...base, value: `overlay: ${protocol === 'geneve' ? 'Geneve' : 'VXLAN'}` }
  }
  return null
}

function flannelBackend(type: string, where: string, evidence: Evidence) {
  const base = { where, owner: 'flannel', evidence: [evidence] }
  switch (type) {
    case 'host-gw':
      return { ...base, value: 'no overlay: routes to the nodes (host-gw)', state: 'absent' as const }
    case 'vxlan':
      return { ...base, value: 'overlay: VXLAN' }
    case 'wireguard':
      return { ...base, value: 'overlay: WireGuard' }
    case 'ipip':
      return { ...base, value: 'overlay: IPIP' }
    default:
      return { ...base, value: `flannel backend ${type.slice(0, 40)}` }
  }
}
