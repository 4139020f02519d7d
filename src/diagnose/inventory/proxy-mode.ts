/** Decision: how Services are programmed, by the rules that are there and by what kube-proxy was told. */
import type { Evidence } from '../../model/evidence.ts'
import type { Decision } from '../../model/inventory.ts'
import type { Netns } from '../../model/network.ts'
import type { Backend } from '../../model/ruleset.ts'
import { type NodeFact, ofCluster, ofNodes, unknown } from './decision.ts'
import { withRole } from './software.ts'
import { askHosts, configMap, type Surroundings } from './surroundings.ts'

const HEADING = { id: 'proxy-mode', title: 'Services' }

export function proxyMode(s: Surroundings): Decision {
  const declared = declaredMode(s)
  const facts = askHosts(s, (host, node) => factOf(host, node, declared))
  if (facts.some((f) => f.state !== 'unknown')) return ofNodes(HEADING, facts)
  if (declared)
    return ofCluster(HEADING, {
      value: `${declared.text}, as ${declared.where} says`,
      owner: declared.owner,
      why: 'no node was collected: its rules were not seen',
      evidence: [declared.evidence],
    })
  const running = withRole(s.software, 'proxy')[0]
  return unknown(
    HEADING,
    running
      ? `kube-proxy runs (${running.ready} of ${running.pods} pods ready), but neither rules nor its ConfigMap were collected`
      : 'neither rules nor the ConfigMap of kube-proxy were collected',
  )
}

const BACKENDS: Readonly<Record<Backend, string>> = {
  'iptables-legacy': 'legacy',
  'iptables-nft': 'nf_tables',
  nft: 'nf_tables',
}

function factOf(host: Netns, node: string, declared: Declared | null): NodeFact {
  const modes: { text: string; owner: string; evidence: Evidence }[] = []
  const known = (a: 'iptables' | 'nft' | 'links') => host.known.has(a)
  const ipvsOwner = host.links.some((l) => l.name === 'kube-dummy-if') ? 'kube-router' : 'kube-proxy'
  const ipvsLink = host.links.find((l) => l.name === 'kube-ipvs0')
  const ipvs = host.ipvs[0]?.evidence ?? ipvsLink?.evidence
  if (ipvs)
    modes.push({
      text: `IPVS${host.ipvs[0] ? ` (${host.ipvs[0].scheduler})` : ''}`,
      owner: ipvsOwner,
      evidence: ipvs,
    })
  const classic = new Map<string, Evidence>()
  for (const ruleset of host.rulesets)
    for (const table of ruleset.tables) {
      if (table.name === 'kube-proxy')
        classic.set('nftables', { artefact: ruleset.artefact, text: `table ${table.family} kube-proxy` })
      const chain = table.name === 'nat' ? table.chains.get('KUBE-SERVICES') : undefined
      // In IPVS mode the same chain is there for what IPVS leaves to iptables.
      if (chain && !ipvs)
        classic.set(`iptables (${BACKENDS[ruleset.backend]})`, {
          artefact: ruleset.artefact,
          line: chain.line,
          text: `${table.name} KUBE-SERVICES`,
        })
    }
  for (const [text, evidence] of classic) modes.push({ text, owner: 'kube-proxy', evidence })
  if (modes.length > 0)
    return {
      node,
      state: 'present',
      value: modes.map((m) => m.text).join(' and '),
      owner: [...new Set(modes.map((m) => m.owner))].join(', '),
      evidence: modes.map((m) => m.evidence),
    }
  if (!known('iptables') || !known('nft')) return { node, state: 'unknown', why: 'rules not collected' }
  const [program, maker] = ebpfOf(host)
  if (program)
    return {
      node,
      state: 'present',
      value: `by ${maker}'s own data plane: no rules of kube-proxy are here`,
      owner: maker,
      evidence: [program, ...(declared ? [declared.evidence] : [])],
    }
  return { node, state: 'absent', value: 'nothing programs Services', evidence: [] }
}

/** A link that only an eBPF data plane makes, and whose. */
function ebpfOf(host: Netns): readonly [Evidence | null, string] {
  for (const [pattern, maker] of [
    [/^cilium_host$/, 'Cilium'],
    [/^bpf(in|out)\.cali$/, 'Calico'],
    [/^antrea-gw\d/, 'Antrea'],
    [/^ovn-k8s-mp\d/, 'OVN-Kubernetes'],
  ] as const) {
    const link = host.links.find((l) => pattern.test(l.name))
    if (link) return [link.evidence, maker]
  }
  return [null, '']
}

interface Declared {
  readonly text: string
  readonly where: string
  readonly owner: string
  readonly evidence: Evidence
}

/** kube-proxy's own configuration (`mode: ""` is iptables on Linux), or Cilium's replacement of it. */
function declaredMode(s: Surroundings): Declared | null {
  const cilium = configMap(s, /^cilium-config$/)
  if (cilium && /^(true|strict)$/.test(cilium.data['kube-proxy-replacement'] ?? ''))
    return {
      text: 'eBPF, without kube-proxy',
      where: 'ConfigMap cilium-config',
      owner: 'Cilium',
      evidence: cilium.evidence,
    }
  const proxy = configMap(s, /^kube-proxy(-config)?$/)
  if (!proxy) return null
  const text = proxy.data['config.conf'] ?? proxy.data.config ?? ''
  const mode = /^mode:\s*["']?([a-z]*)["']?\s*$/m.exec(text)?.[1]
  if (mode === undefined) return null
  const words = mode === '' ? 'iptables (the default)' : mode === 'ipvs' ? 'IPVS' : mode
  return { text: words, where: `ConfigMap kube-proxy`, owner: 'kube-proxy', evidence: proxy.evidence }
}
