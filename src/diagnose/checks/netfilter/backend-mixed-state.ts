/** Rules of Kubernetes, of the CNI, or rules that drop and translate, in both iptables back ends of one node. */
import type { Netns } from '../../../model/network.ts'
import type { Backend } from '../../../model/ruleset.ts'
import type { ClusterCheck, ClusterFinding } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { concernsNode, type Host, hostsOf } from '../links/hosts.ts'
import { isPerObject, kills, type PlacedRule, redirects, ruleProof, rulesOf } from './rule-scan.ts'

const CLUSTER_CHAIN = /^(KUBE-|FLANNEL|cali-|CNI-|WEAVE|CILIUM|ANTREA)/
/** Written by whichever iptables kubelet or kube-proxy finds, and doing nothing (kubernetes pkg/kubelet iptables hints). */
const HARMLESS = /^KUBE-(PROXY-CANARY|KUBELET-CANARY|IPTABLES-HINT|MARK-DROP|MARK-MASQ|FIREWALL)$/

/** Rules that act for the cluster, or that kill or redirect packets, one of each chain. */
function acting(netns: Netns, backend: Backend): PlacedRule[] {
  const out = new Map<string, PlacedRule>()
  const scan = rulesOf(netns, (_, chain) => !HARMLESS.test(chain.name) && !isPerObject(chain.name))
  for (const at of scan) {
    if (at.ruleset.backend !== backend) continue
    const key = `${at.table.family} ${at.table.name} ${at.chain.name}`
    if (out.has(key)) continue
    if (CLUSTER_CHAIN.test(at.chain.name) || kills(at.rule) || redirects(at.rule)) out.set(key, at)
  }
  return [...out.values()]
}

const forCluster = (rules: readonly PlacedRule[]) => rules.some((r) => CLUSTER_CHAIN.test(r.chain.name))

function ofHost(host: Host): ClusterFinding[] {
  const legacy = acting(host.netns, 'iptables-legacy')
  if (legacy.length === 0) return []
  const nft = acting(host.netns, 'iptables-nft')
  if (nft.length === 0 || (!forCluster(legacy) && !forCluster(nft))) return []
  // The one with the Service rules is the one in use; the other holds what nobody looks after.
  const serves = (rules: readonly PlacedRule[]) => rules.some((r) => r.chain.name === 'KUBE-SERVICES')
  const [used, unused] = serves(legacy) && !serves(nft) ? [legacy, nft] : [nft, legacy]
  const name = unused === legacy ? 'iptables-legacy' : 'iptables-nft'
  const dangerous = unused.filter((r) => kills(r.rule) || redirects(r.rule))
  const twice = serves(legacy) && serves(nft)
  const severity = twice || unused.some((r) => redirects(r.rule)) ? 'error' : 'warning'
  const shown = [...dangerous, ...unused.filter((r) => !dangerous.includes(r))]
  return [
    clusterFinding('backend-mixed', {
      severity,
      title: `both iptables back ends of ${host.node} hold rules; those in ${name} are not looked after`,
      text: `The kernel of ${host.node} asks the rules of iptables-legacy and of iptables-nft for every packet, and each program sees only one of them. ${twice ? 'Both hold rules for Services.' : `Kubernetes and the CNI write ${name === 'iptables-legacy' ? 'iptables-nft' : 'iptables-legacy'}.`} ${dangerous.length > 0 ? `What is left in ${name} still drops or redirects packets, and ${name === 'iptables-legacy' ? 'iptables-save' : 'iptables-legacy-save'} does not show it.` : `What is left in ${name} may stand in the way later.`}`,
      where: { node: host.node, netns: 'host' },
      concerns: concernsNode(host),
      evidence: [...shown.slice(0, 6), ...used.slice(0, 1)].map(ruleProof),
      remedy: {
        text: `Make kube-proxy, kubelet, the CNI and the host use one back end (iptables-wrappers), then flush ${name} or reboot the node.`,
        commands: [`${name}-save`, `${name} -t nat -F`, `${name} -t filter -F`],
      },
    }),
  ]
}

/** `backend-mixed`, whether or not a packet met the leftover. */
export const backendMixedState: ClusterCheck = {
  name: 'backend-mixed-state',
  find: (state) =>
    hostsOf(state).flatMap((host) =>
      host.netns.known.has('iptables') && host.netns.known.has('iptables-legacy') ? ofHost(host) : [],
    ),
}
