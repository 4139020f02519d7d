/** `policy-not-enforced`: NetworkPolicies exist where nothing enforces any. Said only where that is proven. */
import type { OtherObject } from '../../../kubeobj/objects.ts'
import type { Netns } from '../../../model/network.ts'
import type { Rule } from '../../../model/ruleset.ts'
import type { ClusterCheck, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { agentsOf, isAllInOne, mainPlugin, pluginsOf, usedConfig } from '../../setup/agents.ts'
import { chainMaker, ruleMaker } from '../../view/rule-owner.ts'

/** Plugins that make links and know nothing of policies. */
const PLAIN: ReadonlySet<string> = new Set(['flannel', 'bridge', 'ptp', 'macvlan', 'ipvlan', 'host-device'])
/** Engines by pod name, besides the network plugins that bring one. */
const ENGINES =
  /calico|canal|felix|cilium|antrea|weave|kube-router|ovn|npc|network-polic|netpol|npm|aws-node|kindnet|romana|anetd|nuage|contiv|tigera|istio-cni|ztunnel|kubeovn|nsx|aci-|trireme/i

export const policyNotEnforced: ClusterCheck = {
  name: 'policy-not-enforced',
  find(state) {
    const policies = state.objects.others.filter(
      (o) => o.kind === 'NetworkPolicy' && o.apiVersion.startsWith('networking.k8s.io/'),
    )
    const first = policies[0]
    if (!first || !state.objects.known.has('Pod')) return []
    const proof = nobodyEnforces(state)
    if (!proof) return []
    const names = policies.slice(0, 3).map(nameOf)
    return [
      clusterFinding('policy-not-enforced', {
        severity: 'warning',
        title: `${policies.length === 1 ? `NetworkPolicy ${names[0]} has` : `${policies.length} NetworkPolicies have`} no effect: nothing here enforces them`,
        text: `The network plugin (${proof.plugins}) connects pods and knows no policies, no policy engine runs, and no node that was looked at has a rule of one. What ${names.join(', ')}${policies.length > 3 ? ', …' : ''} should deny gets through.`,
        where: { object: `NetworkPolicy ${names[0]}` },
        concerns: [{ kind: 'object' }],
        evidence: [...policies.slice(0, 4).map((p) => p.evidence), ...proof.evidence],
        remedy: {
          text: 'Install a policy engine beside the network plugin (kube-network-policies, or Calico for policy only), or change to a network plugin that has one.',
        },
      }),
    ]
  },
}

const nameOf = (o: OtherObject) => `${o.meta.namespace}/${o.meta.name}`

/** Null: somebody may enforce policies, as far as is known. */
export function nobodyEnforces(state: ClusterState) {
  const plugins = pluginsOf(state)
  if ([...plugins].some((p) => p !== 'flannel')) return null
  if (
    state.objects.pods.some((p) => ENGINES.test(`${p.meta.name} ${p.containers.map((c) => c.image ?? '').join(' ')}`))
  )
    return null
  const nodes = [...state.network.nodes.values()]
  if (nodes.some((n) => isAllInOne(n.files))) return null
  const configs = nodes.flatMap((n) => usedConfig(n.files) ?? [])
  const mains = configs.flatMap((c) => (c.config && mainPlugin(c.config)) ?? [])
  if (
    mains.some((m) => !PLAIN.has(m.type)) ||
    configs.some((c) => c.config?.plugins.some((p) => p.type === 'firewall'))
  )
    return null
  // What connects pods must be known: flannel by its agent, annotations or link, or a plain plugin by its configuration.
  if (!plugins.has('flannel') && mains.length === 0) return null
  const withPods = new Set(
    state.objects.pods.filter((p) => !p.hostNetwork && p.phase === 'Running').map((p) => p.nodeName),
  )
  const hosts = nodes.flatMap((n) =>
    n.host !== undefined && withPods.has(n.name) ? (state.network.netns.get(n.host) ?? []) : [],
  )
  if (hosts.length === 0 || hosts.length < [...withPods].length || !hosts.every(isPlain)) return null
  const agents = agentsOf(state.objects).map((a) => ({ ...a.pod.evidence }))
  return {
    plugins: [...new Set([...plugins, ...mains.map((m) => m.type)])].join(', '),
    evidence: [...configs.slice(0, 2).map((c) => c.evidence), ...agents.slice(0, 2)],
  }
}

/** True when no rule, chain policy or traffic filter of the node could be a policy engine's: none drops but those of known others. */
function isPlain(host: Netns): boolean {
  if (!(['iptables', 'iptables-legacy', 'nft', 'tc'] as const).every((k) => host.known.has(k))) return false
  if (host.qdiscs.some((q) => q.filters.length > 0 || q.kind === 'clsact')) return false
  return host.rulesets.every((r) =>
    r.tables.every((t) =>
      [...t.chains.values()].every((c) => {
        if (chainMaker(t.name, c.name)?.role === 'policy') return false
        return c.rules().every((rule) => !mayDeny(rule) || isKnownOther(t.name, c.name, rule))
      }),
    ),
  )
}

function mayDeny(rule: Rule): boolean {
  return rule.parts.some(
    (p) =>
      p.kind === 'opaque' ||
      p.kind === 'reject' ||
      p.kind === 'vmap' ||
      (p.kind === 'verdict' && (p.verdict.kind === 'drop' || p.verdict.kind === 'queue')),
  )
}

function isKnownOther(table: string, chain: string, rule: Rule): boolean {
  const { role } = ruleMaker(table, chain, rule)
  return role !== 'policy' && role !== 'admin'
}
