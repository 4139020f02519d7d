/** Decision: who enforces NetworkPolicy, if anybody (A1.4). */
import type { Evidence } from '../../model/evidence.ts'
import type { Decision } from '../../model/inventory.ts'
import { chainMaker } from '../view/rule-owner.ts'
import { ofCluster, unknown } from './decision.ts'
import { withRole } from './software.ts'
import { hostsOf, type Surroundings } from './surroundings.ts'

const HEADING = { id: 'policy-enforcer', title: 'NetworkPolicy' }

/** Kinds of every policy engine; how many there are says whether the answer matters. */
export const POLICY_KINDS: ReadonlySet<string> = new Set([
  'NetworkPolicy',
  'GlobalNetworkPolicy',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
  'ClusterNetworkPolicy',
  'CiliumNetworkPolicy',
  'CiliumClusterwideNetworkPolicy',
])

/** Engines that enforce in eBPF or Open vSwitch, where no chain shows, by a link only they make. */
const OWN_DATAPATH: readonly (readonly [RegExp, string])[] = [
  [/^cilium_host$/, 'Cilium'],
  [/^antrea-gw\d/, 'Antrea'],
  [/^ovn-k8s-mp\d/, 'OVN-Kubernetes'],
  [/^bpf(in|out)\.cali$/, 'Calico'],
]

export function policyCount(s: Surroundings): number | null {
  const found = s.objects.others.filter((o) => POLICY_KINDS.has(o.kind)).length
  return found === 0 && !s.objects.known.has('NetworkPolicy') ? null : found
}

export function policyEnforcer(s: Surroundings): Decision {
  const count = policyCount(s)
  const many = count === null ? 'policies not collected' : count === 1 ? '1 policy' : `${count} policies`
  const seen = new Map<string, Evidence>()
  for (const r of withRole(s.software, 'policy')) seen.set(r.product.name, r.evidence)
  // The AWS VPC CNI enforces in eBPF, by a second container of its pods.
  const agent = s.objects.pods.find((p) => p.containers.some((c) => c.name === 'aws-eks-nodeagent'))
  if (agent) seen.set('AWS network policy agent', agent.evidence)
  const hosts = hostsOf(s)
  for (const host of hosts) {
    for (const ruleset of host.rulesets)
      for (const table of ruleset.tables)
        for (const chain of table.chains.values()) {
          const maker = chainMaker(table.name, chain.name)
          if (maker?.role === 'policy' && !seen.has(maker.name))
            seen.set(maker.name, { artefact: ruleset.artefact, line: chain.line, text: `${table.name} ${chain.name}` })
        }
    for (const [pattern, name] of OWN_DATAPATH) {
      const link = host.links.find((l) => pattern.test(l.name))
      if (link && !seen.has(name)) seen.set(name, link.evidence)
    }
  }
  if (seen.size > 0) {
    const names = [...seen.keys()]
    return ofCluster(HEADING, {
      value: `enforced by ${names.join(' and ')}, ${many}`,
      owner: names.join(', '),
      evidence: [...seen.values()],
    })
  }
  const programs = hosts.flatMap((h) => h.qdiscs.filter((q) => q.filters.some((f) => /\bbpf\b/.test(f))))
  if (programs[0])
    return unknown(
      HEADING,
      `eBPF programs of a maker netwhy does not know sit on links of the nodes; they may enforce (${many})`,
    )
  const rulesKnown = hosts.length > 0 && hosts.every((h) => h.known.has('iptables') || h.known.has('nft'))
  if (rulesKnown)
    return ofCluster(HEADING, {
      state: 'absent',
      value: `nobody seen enforcing, ${many}`,
      why: count === 0 ? 'an engine that makes rules only where a policy exists would not show' : undefined,
      evidence: [],
    })
  return unknown(HEADING, `no engine among the pods, and rules of the nodes not collected; ${many}`)
}
