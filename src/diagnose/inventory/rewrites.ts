/** What may rewrite a packet, and where: translations in the rules, IPVS, tunnels, eBPF programs (A2.2). */
import type { Evidence } from '../../model/evidence.ts'
import type { PathPlace, Rewrite } from '../../model/inventory.ts'
import type { Netns } from '../../model/network.ts'
import type { Chain, Hook, Rule, RulePart, Table, Verdict } from '../../model/ruleset.ts'
import { NOBODY_KNOWN, ruleMaker } from '../view/rule-owner.ts'
import { linkOwner, signs } from './cni-signs.ts'
import type { Surroundings } from './surroundings.ts'
import { hostsOf, podNetnsOf, uplinkOf } from './surroundings.ts'
import { tunnelOf } from './way-between-nodes.ts'

/** Chains with names alike (`KUBE-SEP-…`) hold rules alike: as many of each are read per hook. */
const ALIKE = 8

interface Found {
  readonly kind: Rewrite['kind']
  readonly text: string
  readonly owner: string
  readonly hooks: ReadonlySet<Hook>
  readonly evidence: Evidence
}

/** `KUBE-SEP-ABC…` and `endpoint-2OIATC6M-shop/web/…` without what tells them from their like. */
function kindOfChain(name: string): string {
  return name.replace(/^(cali-[a-z]+-).+/, '$1').replace(/([-_])[A-Z0-9]{8,}([-_/].*)?$/, '$1')
}

/** Chains a rule may jump to. */
function targetsOf(rule: Rule, table: Table): string[] {
  const out: string[] = []
  const jump = (v: Verdict | undefined) => {
    if (v?.kind === 'jump' || v?.kind === 'goto') out.push(v.chain)
  }
  for (const part of rule.parts) {
    if (part.kind === 'verdict') jump(part.verdict)
    if (part.kind !== 'vmap') continue
    const set = part.map.kind === 'named' ? table.sets.get(part.map.name) : part.map.set
    for (const e of set?.elements() ?? []) jump(e.verdict)
  }
  return out
}

/** Chains reached from the base chains by jumps, with the hooks; of those alike the first few. */
function reachedChains(table: Table): Map<string, Set<Hook>> {
  const reached = new Map<string, Set<Hook>>()
  for (const base of table.chains.values()) {
    if (!base.base) continue
    const { hook } = base.base
    const alike = new Map<string, number>()
    const queue: Chain[] = [base]
    for (let chain = queue.pop(); chain; chain = queue.pop()) {
      const hooks = reached.get(chain.name) ?? new Set()
      if (hooks.has(hook)) continue
      reached.set(chain.name, hooks.add(hook))
      for (const rule of chain.rules())
        for (const name of targetsOf(rule, table)) {
          const kind = kindOfChain(name)
          const count = alike.get(kind) ?? 0
          const target = table.chains.get(name)
          if (!target || count >= ALIKE || reached.get(name)?.has(hook)) continue
          alike.set(kind, count + 1)
          queue.push(target)
        }
    }
  }
  return reached
}

function rewriteOf(part: RulePart, rule: Rule): { readonly kind: Rewrite['kind']; readonly text: string } | null {
  switch (part.kind) {
    case 'nat':
      return part.type === 'dnat'
        ? { kind: 'dnat', text: 'destination → another address or port' }
        : { kind: 'snat', text: 'source → another address or port' }
    case 'masquerade':
      return { kind: 'snat', text: 'source → address of the outgoing link' }
    case 'redirect':
      return { kind: 'redirect', text: 'destination → a port of this netns' }
    case 'netmap':
      return { kind: part.type, text: `${part.type === 'dnat' ? 'destination' : 'source'} → another network` }
    case 'tproxy':
      return { kind: 'tproxy', text: 'handed to a proxy of this netns' }
    case 'mss':
      return { kind: 'mss', text: 'TCP maximum segment size' }
    case 'ttl':
    case 'dscp':
      return { kind: 'header', text: part.kind === 'ttl' ? 'TTL' : 'DSCP' }
    case 'set':
      return /^(ip|ip6|tcp|udp)\./.test(part.field) ? { kind: 'header', text: `header field ${part.field}` } : null
    case 'opaque':
      return part.what === 'statement' && /\b(dnat|snat|redirect|masquerade|NAT)\b/.test(rule.text)
        ? { kind: 'header', text: 'a translation netwhy cannot read' }
        : null
    default:
      return null
  }
}

/** Rewrites by the rules of one netns; null when its rules were not collected. */
export function ruleRewrites(netns: Netns): readonly Found[] | null {
  if (!netns.known.has('iptables') && !netns.known.has('nft')) return null
  const found = new Map<string, Omit<Found, 'hooks'> & { readonly hooks: Set<Hook> }>()
  for (const ruleset of netns.rulesets)
    for (const table of ruleset.tables) {
      if (table.dormant) continue
      for (const [name, hooks] of reachedChains(table))
        for (const rule of table.chains.get(name)?.rules() ?? [])
          for (const part of rule.parts) {
            const rewrite = rewriteOf(part, rule)
            if (!rewrite) continue
            const owner = ruleMaker(table.name, name, rule).name
            const key = `${rewrite.kind} ${owner}`
            const evidence = { artefact: ruleset.artefact, line: rule.line, text: rule.text }
            const known = found.get(key) ?? { ...rewrite, owner, hooks: new Set<Hook>(), evidence }
            found.set(key, known)
            for (const hook of hooks) known.hooks.add(hook)
          }
    }
  return [...found.values()]
}

const HOOK_ORDER: readonly string[] = ['ingress', 'prerouting', 'input', 'forward', 'output', 'postrouting', 'egress']
const KIND_ORDER: readonly Rewrite['kind'][] = [
  'redirect',
  'tproxy',
  'dnat',
  'ipvs',
  'snat',
  'ebpf',
  'encap',
  'mss',
  'header',
]

interface Draft {
  readonly place: PathPlace
  readonly found: Omit<Found, 'hooks'>
  readonly hooks: Set<string>
  readonly nodes: Set<string>
  readonly pods: Set<string>
  readonly evidence: Evidence[]
}

export interface Rewrites {
  readonly at: ReadonlyMap<PathPlace, readonly Rewrite[]>
  /** Netns whose rules were read, by kind. */
  readonly hosts: number
  readonly pods: number
}

/** Every rewrite of the nodes in question, equal ones of different nodes and pods together. */
export function rewritesOf(s: Surroundings): Rewrites {
  const drafts = new Map<string, Draft>()
  const add = (
    place: PathPlace,
    netns: Netns,
    found: Omit<Found, 'hooks'> & { readonly hooks?: ReadonlySet<string> },
  ) => {
    const key = `${place} ${found.kind} ${found.owner} ${found.kind === 'encap' ? found.text : ''}`
    const draft = drafts.get(key) ?? { place, found, hooks: new Set(), nodes: new Set(), pods: new Set(), evidence: [] }
    drafts.set(key, draft)
    for (const h of found.hooks ?? []) draft.hooks.add(h)
    draft.nodes.add(netns.node)
    if (netns.pod) draft.pods.add(`${netns.pod.namespace}/${netns.pod.name}`)
    if (draft.evidence.length < 4) draft.evidence.push(found.evidence)
  }
  const count = { hosts: 0, pods: 0 }
  for (const netns of podNetnsOf(s)) {
    const found = ruleRewrites(netns)
    if (found) count.pods++
    for (const f of found ?? []) add('pod-hooks', netns, f)
    for (const f of programs(netns, 'pod-link')) add('pod-link', netns, f)
  }
  for (const host of hostsOf(s)) {
    const found = ruleRewrites(host)
    if (found) count.hosts++
    for (const f of found ?? []) add('host-hooks', host, f)
    for (const f of programs(host, 'host-link')) add('host-link', host, f)
    const ipvs = host.ipvs.find((v) => v.destinations.some((d) => d.forwarding === 'masq')) ?? host.ipvs[0]
    if (ipvs)
      add('host-hooks', host, {
        kind: 'ipvs',
        text: 'destination → a backend (IPVS)',
        owner: 'kube-proxy',
        hooks: new Set(['input', 'output']),
        evidence: ipvs.evidence,
      })
    const nic = uplinkOf(host)
    for (const link of host.links) {
      const tunnel = tunnelOf(host, link)
      if (!tunnel || tunnel.link !== link || link === nic || !link.flags.has('UP') || !carriesPods(host, link.name))
        continue
      add('tunnel', host, {
        kind: 'encap',
        text: `${tunnel.text} (${link.name})`,
        owner: linkOwner(link.name) ?? signs(host)[0]?.owner ?? NOBODY_KNOWN.name,
        evidence: link.evidence,
      })
    }
  }
  const at = new Map<PathPlace, Rewrite[]>()
  for (const d of drafts.values())
    at.set(d.place, [
      ...(at.get(d.place) ?? []),
      {
        kind: d.found.kind,
        text: d.found.text,
        owner: d.found.owner,
        hooks: [...d.hooks].sort((a, b) => HOOK_ORDER.indexOf(a) - HOOK_ORDER.indexOf(b)),
        nodes: [...d.nodes],
        pods: [...d.pods],
        evidence: d.evidence,
      },
    ])
  for (const list of at.values())
    list.sort((a, b) => KIND_ORDER.indexOf(a.kind) - KIND_ORDER.indexOf(b.kind) || a.owner.localeCompare(b.owner, 'en'))
  return { at, ...count }
}

/** tc filters that may change or move packets: eBPF programs and pedit, mirred actions. */
function programs(netns: Netns, place: 'pod-link' | 'host-link'): Omit<Found, 'hooks'>[] {
  const filtered = netns.qdiscs.filter((q) => q.filters.some((f) => /\b(bpf|pedit|mirred|nat|skbedit)\b/.test(f)))
  const [first] = filtered
  if (!first) return []
  const where = place === 'pod-link' ? 'in the pod' : `on ${filtered.length} link${filtered.length === 1 ? '' : 's'}`
  return [
    {
      kind: 'ebpf',
      text: `tc filters ${where}: may rewrite`,
      owner: netns.links.some((l) => /^(cilium_|lxc)/.test(l.name)) ? 'Cilium' : 'unknown (admin)',
      evidence: first.evidence,
    },
  ]
}

function carriesPods(host: Netns, name: string): boolean {
  return (
    host.routes.some((r) => r.type === 'unicast' && r.dst.length > 0 && r.nexthops.some((n) => n.link === name)) ||
    /^(cilium_|genev_sys|vxlan_sys|vxlan-\d)/.test(name)
  )
}
