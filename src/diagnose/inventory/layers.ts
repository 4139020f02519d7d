/** The layers that work on packets at the same time, from the wire up, with owner and state (A2.1). */
import type { Evidence } from '../../model/evidence.ts'
import type { Decision, Layer } from '../../model/inventory.ts'
import type { Netns } from '../../model/network.ts'
import { chainMaker, NOBODY_KNOWN, ruleMaker } from '../view/rule-owner.ts'
import { signs } from './cni-signs.ts'
import { nodesText, several } from './decision.ts'
import { podBridges } from './mtu.ts'
import { hostsOf, podNetnsOf, type Surroundings } from './surroundings.ts'

export function layersOf(s: Surroundings, decisions: readonly Decision[]): Layer[] {
  const of = (id: string, title: string, from: string, short: (value: string) => string = (v) => v): Layer => {
    const d = decisions.find((x) => x.id === from)!
    const text = d.value === null ? (d.why ?? '') : d.state === 'mixed' ? 'differs between nodes' : short(d.value)
    return { id, title, owner: d.owner, state: d.state, text, evidence: d.evidence }
  }
  const services = s.objects.known.has('Service') ? `${several(s.objects.services.length, 'Service')}, ` : ''
  return [
    of('host-network', 'host network', 'host-network'),
    plane(s),
    of('tunnel', 'between nodes', 'overlay', (v) =>
      /(^|[ ,])overlay:/.test(v.replaceAll('no overlay', '')) ? 'overlay' : 'no overlay',
    ),
    ...hostRules(s),
    podRules(s),
    of('services', 'Services', 'proxy-mode', (v) => `${services}${v}`),
    of('load-balancer', 'LoadBalancer', 'load-balancer'),
    of('policy', 'NetworkPolicy', 'policy-enforcer', (v) => v.replace(/^enforced by .*, /, '')),
    of('bandwidth', 'bandwidth', 'bandwidth'),
  ]
}

/** What forwards packets between the pods of one node and the node: bridge, routed veths, Open vSwitch, eBPF. */
function plane(s: Surroundings): Layer {
  const base = { id: 'forwarding-plane', title: 'forwarding plane' }
  const hosts = hostsOf(s)
  if (hosts.length === 0) return { ...base, owner: null, state: 'unknown', text: 'no node was collected', evidence: [] }
  const kinds = new Map<string, { nodes: string[]; evidence: Evidence[]; owner: string | null }>()
  for (const host of hosts) {
    const { text, evidence } = planeOf(s, host)
    if (text === null) continue
    const known = kinds.get(text) ?? { nodes: [], evidence: [], owner: signs(host)[0]?.owner ?? null }
    known.nodes.push(host.node)
    known.evidence.push(...evidence)
    kinds.set(text, known)
  }
  const sorted = [...kinds].sort((a, b) => b[1].nodes.length - a[1].nodes.length)
  const [first] = sorted
  if (!first) return { ...base, owner: null, state: 'unknown', text: 'no pod, bridge or pod route seen', evidence: [] }
  return {
    ...base,
    owner: first[1].owner,
    state: sorted.length > 1 ? 'mixed' : 'present',
    text: sorted.length > 1 ? sorted.map(([text, k]) => `${text} (${nodesText(k.nodes)})`).join('; ') : first[0],
    evidence: sorted.flatMap(([, k]) => k.evidence).slice(0, 8),
  }
}

/** `text` is null where nothing shows: no pods, or links not collected. */
function planeOf(s: Surroundings, host: Netns): { text: string | null; evidence: Evidence[] } {
  const named = (pattern: RegExp) => host.links.filter((l) => pattern.test(l.name))
  const cilium = named(/^cilium_host$/)
  if (cilium.length > 0) return { text: 'eBPF programs (Cilium)', evidence: cilium.map((l) => l.evidence) }
  const ovs = host.links.filter(
    (l) => l.kernelKind === 'openvswitch' || /^(ovs-system|antrea-gw\d|ovn-k8s-mp\d)$/.test(l.name),
  )
  if (ovs.length > 0) return { text: 'Open vSwitch', evidence: ovs.slice(0, 2).map((l) => l.evidence) }
  const bridges = podBridges(s, host)
  if (bridges.length > 0)
    return { text: `Linux bridge ${bridges.map((b) => b.name).join(', ')}`, evidence: bridges.map((b) => b.evidence) }
  const routed = host.routes.filter(
    (r) =>
      r.type === 'unicast' &&
      r.dst.length === (r.family === 4 ? 32 : 128) &&
      r.nexthops.some((n) => host.links.find((l) => l.name === n.link)?.kind === 'veth'),
  )
  if (routed.length > 0)
    return { text: 'no bridge: a route per pod', evidence: routed.slice(0, 2).map((r) => r.evidence) }
  return { text: null, evidence: [] }
}

const ROW_TITLES = [
  ['kube-proxy', 'rules@host: Services'],
  ['kubelet', 'rules@host: kubelet'],
  ['cni', 'rules@host: network'],
  ['others', 'rules@host: others'],
] as const

/** Rules of the host netns by the part their owner plays; chains counted by name, none read but the built-in ones. */
function hostRules(s: Surroundings): Layer[] {
  const hosts = hostsOf(s).filter((h) => h.known.has('iptables') || h.known.has('nft'))
  const rows = new Map<string, Map<string, { chains: number; nodes: Set<string>; evidence: Evidence }>>()
  const note = (row: string, owner: string, host: Netns, chains: number, evidence: Evidence) => {
    const owners = rows.get(row) ?? new Map()
    rows.set(row, owners)
    const known = owners.get(owner) ?? { chains: 0, nodes: new Set<string>(), evidence }
    owners.set(owner, known)
    known.chains += chains
    known.nodes.add(host.node)
  }
  for (const host of hosts)
    for (const ruleset of host.rulesets)
      for (const table of ruleset.tables)
        for (const chain of table.chains.values()) {
          const own = chainMaker(table.name, chain.name)
          if (own) {
            const row =
              own.role === 'kube-proxy' || own.role === 'kubelet'
                ? own.role
                : own.role === 'cni' || own.role === 'policy'
                  ? 'cni'
                  : 'others'
            note(row, own.name, host, 1, {
              artefact: ruleset.artefact,
              line: chain.line,
              text: `${table.name} ${chain.name}`,
            })
            continue
          }
          if (!chain.base)
            note('others', NOBODY_KNOWN.name, host, 1, {
              artefact: ruleset.artefact,
              line: chain.line,
              text: `${table.name} ${chain.name}`,
            })
          for (const rule of chain.base ? chain.rules() : []) {
            const maker = ruleMaker(table.name, chain.name, rule)
            if (maker.role === 'admin' || maker.role === 'docker' || maker.role === 'ufw' || maker.role === 'firewalld')
              note('others', maker.name, host, 0, { artefact: ruleset.artefact, line: rule.line, text: rule.text })
          }
        }
  return ROW_TITLES.map(([row, title]): Layer => {
    const owners = [...(rows.get(row) ?? [])]
    const base = { id: `host-rules-${row}`, title }
    if (hosts.length === 0)
      return { ...base, owner: null, state: 'unknown', text: 'rules of nodes not collected', evidence: [] }
    if (owners.length === 0) return { ...base, owner: null, state: 'absent', text: 'none', evidence: [] }
    return {
      ...base,
      owner: owners.map(([name]) => name).join(', '),
      state: 'present',
      text: owners
        .map(([name, c]) => `${owners.length > 1 ? `${name} ` : ''}${chainsText(c.chains, c.nodes.size)}`)
        .join(', '),
      evidence: owners.map(([, c]) => c.evidence),
    }
  })
}

function chainsText(chains: number, nodes: number): string {
  const where = `on ${several(nodes, 'node')}`
  return chains === 0 ? `rules in built-in chains ${where}` : `${several(chains, 'chain')} ${where}`
}

function podRules(s: Surroundings): Layer {
  const base = { id: 'pod-rules', title: 'rules@pod' }
  const pods = podNetnsOf(s).filter((p) => p.known.has('iptables') || p.known.has('nft'))
  if (pods.length === 0)
    return { ...base, owner: null, state: 'unknown', text: 'rules of pods not collected', evidence: [] }
  const owners = new Map<string, { pods: Set<string>; evidence: Evidence }>()
  for (const pod of pods)
    for (const ruleset of pod.rulesets)
      for (const table of ruleset.tables)
        for (const chain of table.chains.values())
          for (const rule of chain.rules()) {
            const owner = ruleMaker(table.name, chain.name, rule).name
            const known = owners.get(owner) ?? {
              pods: new Set(),
              evidence: { artefact: ruleset.artefact, line: rule.line, text: rule.text },
            }
            owners.set(owner, known)
            known.pods.add(pod.id)
          }
  if (owners.size === 0)
    return { ...base, owner: null, state: 'absent', text: `none in ${several(pods.length, 'pod')}`, evidence: [] }
  return {
    ...base,
    owner: [...owners.keys()].join(', '),
    state: 'present',
    text: [...owners]
      .map(([name, o]) => `${owners.size > 1 ? `${name} ` : ''}in ${o.pods.size} of ${several(pods.length, 'pod')}`)
      .join(', '),
    evidence: [...owners.values()].map((o) => o.evidence).slice(0, 8),
  }
}
