/** The address of the pods' bridge against the range of its node. */
import { formatPrefix, isLinkLocal, type Prefix, parsePrefix, prefixContains } from '../../../base/ip.ts'
import type { NodeObject } from '../../../kubeobj/objects.ts'
import type { Link, Netns } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { mainPlugin, pluginsOf, usedConfig, usesPodCidr } from '../../setup/agents.ts'
import { nodeProof } from '../../view/object-proof.ts'
import { hostNetns } from '../../view/owner.ts'
import { podConcerns, proofsOf, stuckBy } from './sandbox.ts'

/** Bridges that CNI plugins make for pods by default: bridge and flannel, kubenet, kube-router. */
const BRIDGES: ReadonlySet<string> = new Set(['cni0', 'cbr0', 'kube-bridge'])

/** Pod ranges of the node, of one family. */
export function rangesOf(node: NodeObject, family: 4 | 6): Prefix[] {
  return node.podCIDRs.flatMap((t) => parsePrefix(t) ?? []).filter((r) => r.ip.family === family)
}

function podBridge(state: ClusterState, node: string, host: Netns): Link | undefined {
  const config = usedConfig(state.network.nodes.get(node)?.files)?.config
  const main = config && mainPlugin(config)
  const named =
    main?.type === 'bridge' ? (main.link ?? 'cni0') : main?.type === 'flannel' ? (main.delegate?.link ?? 'cni0') : null
  return host.links.find((l) => l.kind === 'bridge' && (named === null ? BRIDGES.has(l.name) : l.name === named))
}

/**
 * `bridge-address-wrong`: the bridge plugin refuses to work on a bridge whose address is not its range's gateway ("already has
 * an IP address different from", plugins/main/bridge ensureAddr).
 */
export const bridgeAddressWrong: ClusterCheck = {
  name: 'bridge-address-wrong',
  find(state) {
    const said = stuckBy(state, (c) => c.kind === 'bridge-address').flatMap((g): ClusterFinding[] => {
      if (g.cause.kind !== 'bridge-address') return []
      const { bridge, wanted } = g.cause
      const link =
        g.node === undefined ? undefined : hostNetns(state.network, g.node)?.links.find((l) => l.name === bridge)
      const node = state.objects.nodes.find((n) => n.meta.name === g.node)
      const has = link?.addresses
        .filter((a) => !isLinkLocal(a.ip))
        .map((a) => formatPrefix({ ip: a.ip, length: a.length }))
      return [
        wrongBridge(g.node, bridge, has?.join(', '), wanted, {
          concerns: podConcerns(g.troubles),
          evidence: [
            ...proofsOf(g.troubles),
            ...(link?.addresses.map((a) => a.evidence) ?? []),
            node && nodeProof(node),
          ],
        }),
      ]
    })
    const known = new Set(said.map((f) => f.finding.where.node))
    if (!usesPodCidr(pluginsOf(state))) return said
    return [
      ...said,
      ...state.objects.nodes.flatMap((node): ClusterFinding[] => {
        const name = node.meta.name
        const host = hostNetns(state.network, name)
        const bridge = host?.known.has('links') && !known.has(name) ? podBridge(state, name, host) : undefined
        if (!bridge) return []
        const subnet = state.network.nodes.get(name)?.files?.flannelSubnet
        for (const family of [4, 6] as const) {
          const own = bridge.addresses.filter((a) => a.ip.family === family && !isLinkLocal(a.ip))
          const ranges = [...rangesOf(node, family), ...(subnet?.subnets.filter((s) => s.ip.family === family) ?? [])]
          if (own.length === 0 || ranges.length === 0) continue
          if (own.some((a) => ranges.some((r) => prefixContains(r, a.ip)))) continue
          const ports = host!.links.filter((l) => l.master === bridge.ifindex).length
          return [
            wrongBridge(
              name,
              bridge.name,
              own.map((a) => formatPrefix({ ip: a.ip, length: a.length })).join(', '),
              `an address of ${formatPrefix(ranges[0]!)}`,
              {
                concerns: [{ kind: 'node', node: name }],
                evidence: [...own.map((a) => a.evidence), nodeProof(node), subnet?.evidence],
                ports,
              },
            ),
          ]
        }
        return []
      }),
    ]
  },
}

function wrongBridge(
  node: string | undefined,
  bridge: string,
  has: string | undefined,
  wanted: string,
  more: Pick<Parameters<typeof clusterFinding>[1], 'concerns' | 'evidence'> & { readonly ports?: number },
): ClusterFinding {
  const on = node ? ` of ${node}` : ''
  return clusterFinding('bridge-address-wrong', {
    severity: 'error',
    title: `${bridge}${on} has ${has ?? 'another address'}, but should have ${wanted}: no new pod can be connected`,
    text: `The bridge${on} was made for another pod range, before the node joined anew or got a new range, and outlived it. The bridge plugin refuses to use it.${more.ports ? ` ${more.ports} pods hang on it with addresses nobody has a route to.` : ''}`,
    where: { ...(node ? { node } : {}), netns: 'host', link: bridge },
    concerns: more.concerns,
    evidence: more.evidence,
    remedy: {
      text: `Delete the bridge${node ? ` on ${node}` : ''}; the plugin makes it anew with the right address when the next pod starts. Create the pods of this node anew.`,
      commands: [`ip link delete ${bridge}`],
    },
  })
}
