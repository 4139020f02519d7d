/** Load balancer addresses in the local network: who should answer for them, and what stands in the way. */
import { formatIp, type Ip, ipEquals, parseIp } from '../../../base/ip.ts'
import type { KubeObjects, OtherObject, ServiceObject } from '../../../kubeobj/objects.ts'
import type { Netns } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { serviceProof } from '../../view/object-proof.ts'
import { serviceName } from '../../view/service-view.ts'
import { allHosts, sysctlNumber, sysctlProof } from '../links/hosts.ts'

interface Balanced {
  readonly service: ServiceObject
  readonly ip: Ip
}

function balanced(objects: KubeObjects): Balanced[] {
  return objects.services.flatMap((service) =>
    service.type !== 'LoadBalancer'
      ? []
      : service.loadBalancerIngress.flatMap((i) => {
          const ip = parseIp(i.ip ?? '')
          return ip ? [{ service, ip }] : []
        }),
  )
}

const concerns = (s: ServiceObject) => [{ kind: 'service' as const, namespace: s.meta.namespace, name: s.meta.name }]

function ofKind(objects: KubeObjects, kind: string): OtherObject[] {
  return objects.others.filter((o) => o.kind === kind && o.apiVersion.startsWith('metallb.io/'))
}

function specOf(o: OtherObject): Readonly<Record<string, unknown>> {
  const { spec } = o.raw
  return typeof spec === 'object' && spec !== null && !Array.isArray(spec) ? (spec as Record<string, unknown>) : {}
}

/** Links that answer for the address beside the one that announces it: all nodes with it on kube-ipvs0 and arp_ignore 0, or a machine that really has it. */
function arpConflicts(state: ClusterState): ClusterFinding[] {
  const metalLb = ofKind(state.objects, 'L2Advertisement')
  return balanced(state.objects).flatMap(({ service, ip }) => {
    if (ip.family !== 4) return []
    const holders = [...state.network.netns.values()].flatMap((netns) =>
      netns.links.flatMap((link) => {
        const address = link.addresses.find((a) => ipEquals(a.ip, ip))
        return address && link.kind !== 'loopback' ? [{ netns, link, address }] : []
      }),
    )
    const real = holders.filter((h) => h.link.name !== 'kube-ipvs0' && h.link.kind !== 'dummy')
    const ipvs = holders.filter((h) => h.link.name === 'kube-ipvs0' && answersForAll(h.netns))
    const clash = real.length > 1 || (real.length > 0 && metalLb.length > 0) || (ipvs.length > 1 && metalLb.length > 0)
    if (!clash) return []
    const shown = real.length > 0 ? real : ipvs
    const names = [...new Set(shown.map((h) => h.netns.id.replace('/host', '')))]
    const strict = real.length === 0
    return [
      clusterFinding('lb-arp-conflict', {
        severity: 'error',
        title: `${names.slice(0, 4).join(', ')} answer${names.length === 1 ? 's' : ''} for load balancer address ${formatIp(ip)} of Service ${serviceName(service)}${strict ? ', all at once' : ' as its own'}`,
        text: strict
          ? `kube-proxy in IPVS mode puts the address on kube-ipvs0 of every node, and with arp_ignore 0 every node answers when somebody asks who has ${formatIp(ip)}. Clients outside end at whichever answered last, not at the node MetalLB chose; connections break when that changes.`
          : `A machine has the address on a link of its own, and the load balancer announces it as well. Clients outside end at whichever answered last.`,
        where: {
          object: `Service ${serviceName(service)}`,
          ...(names.length === 1 && names[0] ? { node: names[0] } : {}),
        },
        concerns: concerns(service),
        evidence: [
          ...shown.slice(0, 4).map((h) => h.address.evidence),
          ...(strict ? shown.slice(0, 2).flatMap((h) => sysctlProof(h.netns, 'net.ipv4.conf.all.arp_ignore')) : []),
          serviceProof(service),
        ],
        remedy: strict
          ? {
              text: "Set strictARP: true in kube-proxy's ConfigMap and restart it.",
              commands: ['sysctl -w net.ipv4.conf.all.arp_ignore=1', 'sysctl -w net.ipv4.conf.all.arp_announce=2'],
            }
          : { text: 'Take the address from that machine, or from the load balancer pool.' },
      }),
    ]
  })
}

/** arp_ignore 0: an ARP request for any local address is answered on any link (Documentation/networking/ip-sysctl.rst). */
function answersForAll(netns: Netns): boolean {
  return netns.known.has('sysctls') && sysctlNumber(netns, 'net.ipv4.conf.all.arp_ignore') === 0
}

/** Pool of MetalLB that gave the Service its address, by the annotation its controller leaves. */
function poolOf(s: ServiceObject): string | undefined {
  return (
    s.meta.annotations['metallb.io/ip-allocated-from-pool'] ??
    s.meta.annotations['metallb.universe.tf/ip-allocated-from-pool']
  )
}

function selects(advertisement: OtherObject, pool: string): boolean {
  const spec = specOf(advertisement)
  const names = Array.isArray(spec.ipAddressPools) ? spec.ipAddressPools : []
  const selectors = Array.isArray(spec.ipAddressPoolSelectors) ? spec.ipAddressPoolSelectors : []
  // Neither list: every pool. Selectors go by labels of the pool, which we then take to match.
  return (names.length === 0 && selectors.length === 0) || names.includes(pool) || selectors.length > 0
}

const EXCLUDED = 'node.kubernetes.io/exclude-from-external-load-balancers'

function notAnnounced(state: ClusterState): ClusterFinding[] {
  const { objects } = state
  const known = (kind: string) => objects.known.has(kind)
  return balanced(objects).flatMap(({ service, ip }) => {
    const pool = poolOf(service)
    if (pool === undefined || !known('IPAddressPool') || !known('L2Advertisement') || !known('BGPAdvertisement'))
      return []
    const all = [...ofKind(objects, 'L2Advertisement'), ...ofKind(objects, 'BGPAdvertisement')]
    const speakers = objects.pods.filter(
      (p) => p.meta.labels['app.kubernetes.io/component'] === 'speaker' || p.meta.labels.component === 'speaker',
    )
    const running = speakers.filter((p) => p.phase === 'Running')
    const labelled = objects.nodes.filter((n) => n.meta.labels[EXCLUDED] !== undefined)
    const why = !all.some((a) => selects(a, pool))
      ? {
          text: `No L2Advertisement and no BGPAdvertisement covers pool ${pool}.`,
          remedy: `Make an L2Advertisement or BGPAdvertisement with ipAddressPools: [${pool}].`,
          proof: ofKind(objects, 'IPAddressPool').find((o) => o.meta.name === pool)?.evidence,
        }
      : known('Pod') && speakers.length > 0 && running.length === 0
        ? {
            text: 'No speaker of MetalLB runs.',
            remedy: 'Find out why the speaker pods do not run.',
            proof: speakers[0]?.evidence,
          }
        : objects.nodes.length > 0 && labelled.length === objects.nodes.length
          ? {
              text: `Every node carries the label ${EXCLUDED}, so no speaker may announce from it.`,
              remedy: `Remove the label from a node that should announce.`,
              proof: labelled[0]?.evidence,
            }
          : null
    if (!why) return []
    return [
      clusterFinding('lb-not-announced', {
        severity: 'error',
        title: `nobody announces ${formatIp(ip)}, the load balancer address of Service ${serviceName(service)}`,
        text: `MetalLB gave the Service the address from pool ${pool}, but nobody answers for it outside. ${why.text} Inside the cluster the address works, because kube-proxy translates it there.`,
        where: { object: `Service ${serviceName(service)}` },
        concerns: concerns(service),
        evidence: [serviceProof(service), why.proof],
        remedy: { text: why.remedy },
      }),
    ]
  })
}

/** Node that announces now, by the speaker's last event (`announcing from node "node2"`). */
function announcer(
  objects: KubeObjects,
  s: ServiceObject,
): { readonly node: string; readonly proof: ServiceObject['evidence'] } | null {
  const said = objects.events.filter(
    (e) => e.reason === 'nodeAssigned' && e.about.name === s.meta.name && e.about.namespace === s.meta.namespace,
  )
  // Without a time order two answers are none.
  const nodes = new Set(said.map((e) => /announcing from node "([^"]{1,253})"/.exec(e.message)?.[1]))
  const node = [...nodes][0]
  return nodes.size === 1 && node !== undefined && said[0] ? { node, proof: said[0].evidence } : null
}

function staleOutside(state: ClusterState): ClusterFinding[] {
  const hosts = allHosts(state)
  return balanced(state.objects).flatMap(({ service, ip }) => {
    const now = announcer(state.objects, service)
    if (!now) return []
    return [...state.network.netns.values()].flatMap((netns) => {
      if (netns.node === now.node || netns.kind === 'pod') return []
      const entry = netns.neighbours.find((n) => !n.proxy && n.mac !== undefined && ipEquals(n.ip, ip))
      const holder = entry && hosts.find((h) => h.netns.links.some((l) => l.mac === entry.mac))
      if (!entry || !holder || holder.node === now.node) return []
      return [
        clusterFinding('arp-stale-outside', {
          severity: 'warning',
          title: `${netns.id.replace('/host', '')} still sends load balancer address ${formatIp(ip)} to ${holder.node}; ${now.node} announces it now`,
          text: `The address moved to ${now.node}, and ${netns.id.replace('/host', '')} did not take notice of the gratuitous ARP. Until its entry expires it sends to ${holder.node}.`,
          where: { node: netns.node, netns: netns.id.slice(netns.node.length + 1), link: entry.link },
          concerns: concerns(service),
          evidence: [entry.evidence, now.proof],
          remedy: {
            text: 'Flush the entry there; see why the network or the machine ignores gratuitous ARP.',
            commands: [`ip neigh del ${formatIp(ip)} dev ${entry.link}`],
          },
        }),
      ]
    })
  })
}

/** `lb-arp-conflict`, `lb-not-announced`, `arp-stale-outside`. */
export const loadBalancerAddresses: ClusterCheck = {
  name: 'load-balancer-addresses',
  find: (state) => [...arpConflicts(state), ...notAnnounced(state), ...staleOutside(state)],
}
