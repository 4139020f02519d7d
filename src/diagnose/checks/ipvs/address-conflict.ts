import { formatIp, parseIp } from '../../../base/ip.ts'
import { ipKey } from '../../../datapath/facts.ts'
import type { Link, LinkAddress, Netns } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { nodeProof, serviceProof } from '../../view/object-proof.ts'
import { nodeOfAddress, serviceOfAddress } from '../../view/owner.ts'
import { serviceName } from '../../view/service-view.ts'
import { allHosts, concernsNode, type Host } from '../links/hosts.ts'

/** kube-proxy's dummy for Service addresses in IPVS mode. */
const IPVS_LINK = 'kube-ipvs0'

/** Where two ranges overlap there would be one finding per Service. */
const MOST = 20

/** Links that may hold a Service's address by design: loopback, and dummies such as node-local-dns makes. */
function byDesign(link: Link): boolean {
  return link.kind === 'loopback' || link.kind === 'dummy' || link.name === IPVS_LINK || link.name === 'nodelocaldns'
}

interface Holder {
  readonly netns: Netns
  readonly link: Link
  readonly address: LinkAddress
}

/** Real links of all collected machines by the key of their addresses. */
function realHolders(state: ClusterState): Map<string, Holder> {
  const out = new Map<string, Holder>()
  for (const netns of state.network.netns.values())
    for (const link of netns.links) {
      if (byDesign(link)) continue
      for (const address of link.addresses) {
        const key = ipKey(address.ip)
        if (!out.has(key)) out.set(key, { netns, link, address })
      }
    }
  return out
}

/** kube-ipvs0 of this node takes packets for a real machine. */
function taken(state: ClusterState, real: ReadonlyMap<string, Holder>, host: Host): ClusterFinding[] {
  const link = host.netns.links.find((l) => l.name === IPVS_LINK)
  return (link?.addresses ?? []).flatMap((held) => {
    const object = nodeOfAddress(state.objects, held.ip)
    const holder = real.get(ipKey(held.ip))
    if (!link || (!object && !holder)) return []
    const service = serviceOfAddress(state.objects, held.ip)
    const whose = object?.meta.name ?? holder?.netns.id.replace('/host', '') ?? ''
    return [
      clusterFinding('ipvs-address-conflict', {
        severity: 'error',
        title: `${IPVS_LINK} on ${host.node} holds ${formatIp(held.ip)}, the address of ${whose}`,
        text: `${service ? `Service ${serviceName(service)} has ${formatIp(held.ip)} among its addresses` : 'The address is no Service any more, but it was left there'}, so kube-proxy put it on ${IPVS_LINK}. ${host.node} now takes the address for its own: what it and its pods send to ${whose} never leaves, on any port.`,
        where: { node: host.node, netns: 'host', link: IPVS_LINK },
        concerns: [...concernsNode(host), ...(object ? [{ kind: 'node' as const, node: object.meta.name }] : [])],
        evidence: [
          held.evidence,
          holder?.address.evidence,
          object && nodeProof(object),
          service && serviceProof(service),
        ],
        remedy: {
          text: service
            ? `Take the address from Service ${serviceName(service)} (externalIPs, load balancer pool).`
            : 'Delete the address.',
          commands: [`ip addr del ${formatIp(held.ip)}/${held.length} dev ${IPVS_LINK}`],
        },
      }),
    ]
  })
}

/** A cluster IP on a real link. */
function stolen(state: ClusterState, real: ReadonlyMap<string, Holder>): ClusterFinding[] {
  return state.objects.services.flatMap((service) =>
    service.clusterIPs.flatMap((text) => {
      const ip = parseIp(text)
      const holder = ip && real.get(ipKey(ip))
      if (!holder) return []
      const { netns, link, address } = holder
      const where = { node: netns.node, netns: netns.id.slice(netns.node.length + 1), link: link.name }
      return [
        clusterFinding('ipvs-address-conflict', {
          severity: 'error',
          title: `${link.name} of ${netns.id.replace('/host', '')} holds ${text}, the address of Service ${serviceName(service)}`,
          text: `A cluster IP must belong to nobody. Whoever holds it, or has a route to it because of it, sends packets for the Service there instead of having them translated.`,
          where,
          concerns: [{ kind: 'service', namespace: service.meta.namespace, name: service.meta.name }],
          evidence: [address.evidence, serviceProof(service)],
          remedy: {
            text: 'Take the address from that link, or choose a Service range nobody else uses.',
            commands: [`ip addr del ${text}/${address.length} dev ${link.name}`],
          },
        }),
      ]
    }),
  )
}

/** `ipvs-address-conflict`: an address that is both a Service's and a machine's. */
export const ipvsAddressConflict: ClusterCheck = {
  name: 'ipvs-address-conflict',
  find(state) {
    const real = realHolders(state)
    return [...allHosts(state).flatMap((host) => taken(state, real, host)), ...stolen(state, real).slice(0, MOST)]
  },
}
