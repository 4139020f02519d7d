/** Cluster check: on each node, the endpoints Services should lead to next to those the rules lead to. One finding per node and cause. */
import type { Ruleset, Table } from '../../../model/ruleset.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { compareNode, type Difference, type NodeComparison } from '../../intent/compare.ts'
import { aroundRules, leadOf, type Target } from '../../intent/lead.ts'
import { leftoversOf } from '../../intent/leftovers.ts'
import { hasTraces, type ProxyState, proxyOn } from '../../intent/proxy.ts'
import { ownerOf } from '../../view/owner.ts'
import {
  lacking,
  lagging,
  leftover,
  nameOf,
  noServerFor,
  nothingThere,
  type Place,
  type Stale,
  stale,
} from './kube-proxy-words.ts'

export const kubeProxyRules: ClusterCheck = {
  name: 'kube-proxy-rules',
  find(state) {
    const { network, objects, focus } = state
    if (!objects.known.has('Service') || !objects.known.has('EndpointSlice')) return []
    const compared: NodeComparison[] = []
    for (const node of network.nodes.keys()) {
      if (focus !== undefined && !focus.has(node)) continue
      const one = compareNode(network, objects, node)
      if (one) compared.push(one)
    }
    const elsewhere = compared.filter((c) => answers(c)).length
    return compared.flatMap((c) => judgeNode(state, c, elsewhere))
  },
}

const answers = (c: NodeComparison) => c.families[4].answered + c.families[6].answered > 0

function judgeNode(state: ClusterState, c: NodeComparison, nodesThatAnswer: number): ClusterFinding[] {
  const proxy = proxyOn(state.network, state.objects, c.host.node)
  if (proxy.kind === 'replaced' && !answers(c) && (proxy.sure || nodesThatAnswer === 0)) return []
  const place: Place = { state, host: c.host, proxy, nodesThatAnswer }
  const mute = ([4, 6] as const).filter((f) => c.families[f].asked > 0 && c.families[f].answered === 0)
  const out: ClusterFinding[] = []
  const none = c.differences.filter((d) => mute.includes(d.service.family))
  if (none.length > 0 && mayAccuse(state, c, proxy, nodesThatAnswer)) {
    const all = ([4, 6] as const).every((f) => mute.includes(f) || c.families[f].asked === 0)
    out.push(nothingThere(place, perService(none), all ? null : mute[0]!))
  }
  const some = c.differences.filter((d) => !mute.includes(d.service.family))
  out.push(...judgeServices(place, c, some))
  const left = leftoversOf(state.network, state.objects, c.host) ?? []
  if (left.length > 0) out.push(leftover(place, left))
  return out
}

function judgeServices(place: Place, c: NodeComparison, differences: readonly Difference[]): ClusterFinding[] {
  const gone: Stale[] = []
  for (const d of perService(differences.filter((x) => x.strays.length > 0))) {
    const targets = goneTargets(place.state, c, d)
    if (targets.length > 0) gone.push({ ...d, gone: targets })
  }
  const told = new Set(gone.map(nameOf))
  // An address nobody can account for may be another rule's work: then what this one lacks is not kube-proxy's fault either.
  const lacks = perService(
    differences.filter((d) => d.lacks.length > 0 && d.strays.length === 0 && !told.has(nameOf(d))),
  )
  const unserved = lacks.filter((d) => c.ipvs && d.lead.targets.length === 0 && !d.lead.server)
  const short = lacks.filter((d) => !unserved.includes(d))
  const slow = perService(differences.filter((d) => d.lagging.length > 0 && d.strays.length + d.lacks.length === 0))
  return [
    ...(gone.length > 0 ? [stale(place, gone)] : []),
    ...(short.length > 0 ? [lacking(place, short)] : []),
    ...(unserved.length > 0 ? [noServerFor(place, unserved)] : []),
    ...(slow.length > 0 ? [lagging(place, slow)] : []),
  ]
}

/** Whether a node without any rule is a node with a fault: where it is not known what should write them, it is not. */
function mayAccuse(state: ClusterState, c: NodeComparison, proxy: ProxyState, nodesThatAnswer: number): boolean {
  const traces = hasTraces(c.host)
  // Rules of a back end that was not read may hold everything.
  if (!traces && !c.host.known.has('iptables-legacy')) return false
  if (proxy.kind !== 'unknown' || nodesThatAnswer > 0) return true
  return traces && state.objects.known.has('Pod')
}

/** The first difference of each Service stands for all its frontends. */
function perService(list: readonly Difference[]): Difference[] {
  const out: Difference[] = []
  const seen = new Set<string>()
  for (const d of list) {
    const key = nameOf(d)
    if (seen.has(key)) continue
    seen.add(key)
    out.push(d)
  }
  return out
}

/**
 * Targets that kube-proxy should have taken out. Not those of a pod that is just being deleted, not a node's own address
 * (somebody redirects on purpose), and not those that another's rule leads to.
 */
function goneTargets(state: ClusterState, c: NodeComparison, d: Difference): Target[] {
  const { network, objects } = state
  return d.strays.filter((t) => {
    const owner = ownerOf(network, objects, t.ip)
    if (owner.kind === 'node' || owner.kind === 'service') return false
    if (owner.kind === 'pod' && owner.pod?.meta.deletionTimestamp !== undefined) return false
    return !isInTheWay(c, d, t)
  })
}

/**
 * Whether the rule stands in the way of rules that are right: it is in a dump without which every endpoint is reached (an old
 * back end's leftovers), or it takes all there is and without it every endpoint is reached (a hostPort's, an admin's). A stale
 * rule of kube-proxy's own is one among those of its siblings, or has nothing behind it.
 */
function isInTheWay(c: NodeComparison, d: Difference, t: Target): boolean {
  const { rule } = t
  if (!rule || d.wanted.length === 0) return false
  const { rulesets } = c.host
  const variants = [rulesets.filter((r) => r !== rule.ruleset)]
  if (d.lacks.length === d.wanted.length) variants.push(rulesets.map((r) => (r === rule.ruleset ? without(rule) : r)))
  return variants.some((rest) => {
    const lead = leadOf(aroundRules(c.host, rest), c.host, d.front, d.sender)
    const texts = new Set(lead.targets.map((x) => x.text))
    return lead.untouched + lead.stopped + lead.unknown === 0 && d.wanted.every((e) => texts.has(e.text))
  })
}

function without(rule: NonNullable<Target['rule']>): Ruleset {
  const tables = rule.ruleset.tables.map((t): Table => {
    const chain = t === rule.table ? t.chains.get(rule.chain) : undefined
    if (!chain) return t
    const rules = chain.rules().filter((r) => r.line !== rule.line)
    return { ...t, chains: new Map(t.chains).set(rule.chain, { ...chain, rules: () => rules }) }
  })
  return { ...rule.ruleset, tables }
}
