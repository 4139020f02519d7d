/** Chains of kube-proxy or the CNI that somebody emptied, or cut off from the hooks. */
import type { Netns } from '../../../model/network.ts'
import type { Chain, Ruleset, Table } from '../../../model/ruleset.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { concernsNode, type Host, hostsOf, podsOn } from '../links/hosts.ts'
import { jumps } from './rule-scan.ts'

/** The chains by which each program hangs on the hooks, and who makes them. */
const ENTRANCES: readonly {
  readonly table: string
  readonly chain: string
  readonly owner: string
  readonly agent: string
  readonly loss: string
}[] = [
  {
    table: 'nat',
    chain: 'KUBE-SERVICES',
    owner: 'kube-proxy',
    agent: 'kube-proxy',
    loss: 'Services are not translated',
  },
  {
    table: 'nat',
    chain: 'KUBE-POSTROUTING',
    owner: 'kube-proxy',
    agent: 'kube-proxy',
    loss: 'what comes from outside by a node port is not masqueraded',
  },
  {
    table: 'nat',
    chain: 'FLANNEL-POSTRTG',
    owner: 'flannel',
    agent: 'kube-flannel',
    loss: 'pods reach nothing outside the cluster',
  },
  {
    table: 'filter',
    chain: 'FLANNEL-FWD',
    owner: 'flannel',
    agent: 'kube-flannel',
    loss: 'pod packets are forwarded only while the policy of FORWARD accepts them',
  },
  {
    table: 'nat',
    chain: 'cali-POSTROUTING',
    owner: 'Calico',
    agent: 'calico-node',
    loss: 'pods reach nothing outside the cluster',
  },
  {
    table: 'filter',
    chain: 'cali-FORWARD',
    owner: 'Calico',
    agent: 'calico-node',
    loss: 'network policies are not enforced, and pod packets pass only while the policy of FORWARD accepts them',
  },
]

interface Entrance {
  readonly ruleset: Ruleset
  readonly table: Table
  readonly chain: Chain
  readonly state: 'in-use' | 'empty' | 'cut-off'
}

function entrances(netns: Netns, table: string, chain: string): Entrance[] {
  return netns.rulesets.flatMap((ruleset) =>
    ruleset.tables.flatMap((t) => {
      const found = t.name === table && t.family === 'ip' ? t.chains.get(chain) : undefined
      if (!found) return []
      const bases = t.bases ? t.bases.map((b) => t.chains.get(b)) : [...t.chains.values()].filter((c) => c.base)
      const led = bases.some((b) => b?.rules().some((r) => jumps(r).includes(chain)))
      const state = found.rules().length === 0 ? 'empty' : led ? 'in-use' : 'cut-off'
      return [{ ruleset, table: t, chain: found, state } as const]
    }),
  )
}

/** kube-proxy's table of the nftables mode, at work: chains of the iptables mode are then leftovers. */
function nftablesMode(netns: Netns): boolean {
  return netns.rulesets.some((r) => r.tables.some((t) => t.name === 'kube-proxy' && t.chains.size > 0))
}

function ofHost(state: ClusterState, host: Host, hosts: readonly Host[]): ClusterFinding[] {
  if (podsOn(state, host).length === 0 && state.objects.services.length === 0) return []
  const nft = nftablesMode(host.netns)
  return ENTRANCES.flatMap((want) => {
    if (want.owner === 'kube-proxy' && nft) return []
    const own = entrances(host.netns, want.table, want.chain)
    if (own.some((e) => e.state === 'in-use')) return []
    const others = hosts.filter(
      (h) => h !== host && entrances(h.netns, want.table, want.chain).some((e) => e.state === 'in-use'),
    )
    const broken = own[0]
    // A node without the chain at all has lost it only when every other node has it; kube-proxy's absence is told elsewhere.
    if (!broken && (want.owner === 'kube-proxy' || others.length === 0 || others.length < hosts.length - 1)) return []
    if (!broken && podsOn(state, host).length === 0) return []
    // kube-proxy empties its chains when no Service needs them.
    if (want.owner === 'kube-proxy' && state.objects.services.length === 0) return []
    const peer = others[0] && entrances(others[0].netns, want.table, want.chain)[0]
    const how = !broken ? 'is gone' : broken.state === 'empty' ? 'is empty' : 'is there, but no rule leads to it'
    return [
      clusterFinding('rules-flushed', {
        severity: want.table === 'nat' ? 'error' : 'warning',
        title: `${want.owner}'s rules on ${host.node} were flushed (chain ${want.chain} of table ${want.table} ${how})`,
        text: `Somebody flushed iptables on ${host.node} (a reload of firewalld, iptables -F, a configuration tool), and ${want.owner} has not put its rules back: ${want.loss}.${others.length > 0 ? ` ${others.length === 1 ? `${others[0]?.node} has` : `${others.length} other nodes have`} the rules.` : ''}`,
        where: { node: host.node, netns: 'host' },
        concerns: concernsNode(host),
        evidence: [
          broken && {
            artefact: broken.ruleset.artefact,
            line: broken.chain.line,
            text: `:${want.chain} (${broken.chain.rules().length} rules, ${broken.state})`,
          },
          peer && {
            artefact: peer.ruleset.artefact,
            line: peer.chain.line,
            text: `:${want.chain} (${peer.chain.rules().length} rules)`,
          },
        ],
        remedy: {
          text: `Restart ${want.agent} on ${host.node}, and stop what flushes the rules, or let it start before Kubernetes.`,
        },
      }),
    ]
  })
}

/** `rules-flushed`: the chain is there and empty or unreachable, or gone while every other node has it. */
export const rulesFlushed: ClusterCheck = {
  name: 'rules-flushed',
  find(state) {
    const hosts = hostsOf(state).filter((h) => h.netns.known.has('iptables'))
    return hosts.flatMap((host) => ofHost(state, host, hosts))
  },
}
