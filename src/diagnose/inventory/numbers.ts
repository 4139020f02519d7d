/** Decisions in numbers: the host network (A1.1), address families, and address ranges (C1). */
import {
  formatIp,
  formatPrefix,
  type Ip,
  networkOf,
  type Prefix,
  parseIp,
  parsePrefix,
  prefixContains,
} from '../../base/ip.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { Decision } from '../../model/inventory.ts'
import type { Link } from '../../model/network.ts'
import { podRanges } from '../view/owner.ts'
import { type NodeFact, ofCluster, ofNodes, unknown } from './decision.ts'
import { askHosts, hostsOf, podNetnsOf, type Surroundings, uplinkOf } from './surroundings.ts'

/** Drivers of network cards that only hypervisors show (kernel drivers/net). */
const VIRTUAL_DRIVERS: Readonly<Record<string, string>> = {
  virtio_net: 'virtual machines (virtio)',
  vmxnet3: 'virtual machines (VMware)',
  hv_netvsc: 'virtual machines (Hyper-V, Azure)',
  ena: 'virtual machines (AWS)',
  gve: 'virtual machines (Google)',
  xen_netfront: 'virtual machines (Xen)',
}

/** Labels that cloud controllers put on their nodes. */
const CLOUD_LABELS: readonly (readonly [RegExp, string])[] = [
  [/^(eks\.amazonaws\.com|k8s\.amazonaws\.com)\//, 'AWS'],
  [/^cloud\.google\.com\//, 'Google Cloud'],
  [/^kubernetes\.azure\.com\//, 'Azure'],
  [/^oci\.oraclecloud\.com\//, 'Oracle Cloud'],
  [/^doks\.digitalocean\.com\//, 'DigitalOcean'],
]

export function hostNetwork(s: Surroundings): Decision {
  const heading = { id: 'host-network', title: 'host network' }
  const facts = askHosts(s, (host, node): NodeFact => {
    const nic = uplinkOf(host)
    if (!nic)
      return {
        node,
        state: 'unknown',
        why: host.known.has('links') ? 'no link with a default route' : 'links not collected',
      }
    const driver = s.network.nodes.get(node)?.files?.ethtool?.get(nic.name)?.driver
    const kind = nicKind(nic, driver)
    return { node, state: 'present', value: `${kind}, ${nic.name}`, evidence: [nic.evidence] }
  })
  const cloud = s.objects.nodes.flatMap((n) =>
    CLOUD_LABELS.filter(([label]) => Object.keys(n.meta.labels).some((k) => label.test(k))).map(([, name]) => ({
      name,
      evidence: n.evidence,
    })),
  )[0]
  if (facts.some((f) => f.state !== 'unknown')) {
    const decision = ofNodes(heading, facts)
    return cloud ? { ...decision, value: `${cloud.name}: ${decision.value}`, owner: cloud.name } : decision
  }
  if (cloud) return ofCluster(heading, { value: cloud.name, owner: cloud.name, evidence: [cloud.evidence] })
  return unknown(heading, 'no node was collected, and no label of a cloud on the nodes')
}

function nicKind(nic: Link, driver: string | undefined): string {
  const virtual = driver === undefined ? undefined : VIRTUAL_DRIVERS[driver]
  if (virtual) return virtual
  switch (nic.kind) {
    case 'veth':
      return 'network namespaces (veth)'
    case 'bond':
      return 'bond'
    case 'vlan':
      return `VLAN${nic.vlanId === undefined ? '' : ` ${nic.vlanId}`}`
    case 'bridge':
      return 'bridge'
    case 'ethernet':
      return driver === undefined ? 'Ethernet' : `Ethernet (${driver.slice(0, 20)})`
    default:
      return nic.kernelKind ?? nic.kind
  }
}

export function families(s: Surroundings): Decision {
  const heading = { id: 'ip-families', title: 'IP families' }
  const evidence: Evidence[] = []
  const of = (texts: readonly string[]) => new Set(texts.flatMap((t) => parseIp(t.split('/')[0]!)?.family ?? []))
  const pods = of([
    ...s.objects.nodes.flatMap((n) => n.podCIDRs),
    ...s.objects.pods.filter((p) => !p.hostNetwork).flatMap((p) => p.podIPs),
  ])
  const services = of(s.objects.services.flatMap((x) => x.clusterIPs).filter((a) => a !== 'None'))
  for (const netns of podNetnsOf(s))
    for (const link of netns.links) for (const a of link.addresses) if (a.scope === 'global') pods.add(a.ip.family)
  const first = s.objects.nodes[0] ?? s.objects.pods[0]
  if (first) evidence.push(first.evidence)
  if (pods.size === 0 && services.size === 0)
    return unknown(heading, 'neither objects nor pods with addresses were collected')
  const text = (x: ReadonlySet<4 | 6>) => (x.size === 2 ? 'dual-stack' : x.size === 1 ? `IPv${[...x][0]}` : 'not known')
  const equal = text(pods) === text(services) || services.size === 0 || pods.size === 0
  return ofCluster(heading, {
    value: equal ? text(pods.size > 0 ? pods : services) : `pods ${text(pods)}, Services ${text(services)}`,
    evidence,
  })
}

export function ranges(s: Surroundings): Decision[] {
  return [nodeRange(s), podRange(s), serviceRange(s)]
}

function nodeRange(s: Surroundings): Decision {
  const heading = { id: 'node-cidr', title: 'node CIDR' }
  const found = new Map<string, Evidence>()
  for (const host of hostsOf(s)) {
    const nic = uplinkOf(host)
    for (const a of nic?.addresses ?? [])
      if (a.scope === 'global') found.set(formatPrefix(networkOf({ ip: a.ip, length: a.length })), a.evidence)
  }
  if (found.size > 0) return ofCluster(heading, { value: listed([...found.keys()]), evidence: [...found.values()] })
  const addresses = s.objects.nodes.flatMap((n) =>
    n.addresses.filter((a) => a.type === 'InternalIP').flatMap((a) => parseIp(a.address) ?? []),
  )
  if (addresses.length === 0) return unknown(heading, 'neither links nor Nodes were collected')
  return ofCluster(heading, {
    value: addresses.length <= 4 ? addresses.map(formatIp).join(', ') : `within ${covers(addresses)}`,
    why: 'the length of the network is not in the objects: this is what the addresses span',
    evidence: s.objects.nodes.map((n) => n.evidence),
  })
}

function podRange(s: Surroundings): Decision {
  const heading = { id: 'pod-cidr', title: 'pod CIDR' }
  const pool = s.objects.others.filter((o) => o.kind === 'IPPool' && o.apiVersion.includes('projectcalico.org'))
  const pools = pool.flatMap((o) => {
    const cidr = (o.raw.spec as Record<string, unknown> | undefined)?.cidr
    return typeof cidr === 'string' && parsePrefix(cidr) ? [cidr] : []
  })
  if (pools.length > 0)
    return ofCluster(heading, { value: `${listed(pools)} (IP pools)`, evidence: pool.map((o) => o.evidence) })
  const own = podRanges(s.objects)
  if (own.length === 0)
    return unknown(
      heading,
      s.objects.known.has('Node')
        ? 'nodes have no spec.podCIDR, and no pool object names a range'
        : 'Nodes not collected',
    )
  const flannel = s.nodes.flatMap((n) => s.network.nodes.get(n)?.files?.flannelSubnet ?? [])[0]
  const lengths = [...new Set(own.map((r) => r.range.length))].sort((a, b) => a - b)
  const whole =
    flannel && flannel.networks.length > 0
      ? flannel.networks.map(formatPrefix).join(', ')
      : covers(
          own.map((r) => r.range.ip),
          own.map((r) => r.range),
        )
  return ofCluster(heading, {
    value: `${flannel || own.length === 1 ? whole : `within ${whole}`}, a /${lengths.join(' or /')} per node`,
    evidence: [...(flannel ? [flannel.evidence] : []), ...own.map((r) => r.node.evidence)],
  })
}

function serviceRange(s: Surroundings): Decision {
  const heading = { id: 'service-cidr', title: 'Service CIDR' }
  const declared = s.objects.others.filter((o) => o.kind === 'ServiceCIDR')
  const cidrs = declared.flatMap((o) => {
    const value = (o.raw.spec as Record<string, unknown> | undefined)?.cidrs
    return Array.isArray(value)
      ? value.filter((v): v is string => typeof v === 'string' && parsePrefix(v) !== null)
      : []
  })
  if (cidrs.length > 0) return ofCluster(heading, { value: listed(cidrs), evidence: declared.map((o) => o.evidence) })
  const ips = s.objects.services.flatMap((x) => x.clusterIPs.flatMap((a) => parseIp(a) ?? []))
  if (ips.length === 0)
    return unknown(heading, s.objects.known.has('Service') ? 'no Service has an address' : 'Services not collected')
  return ofCluster(heading, {
    value: `not told; the Services in use span ${covers(ips)}`,
    why: 'no ServiceCIDR object was collected: this is what the Services in use span',
    evidence: s.objects.services.slice(0, 2).map((x) => x.evidence),
  })
}

/** The smallest prefix of each family that holds all of them. */
function covers(ips: readonly Ip[], prefixes: readonly Prefix[] = []): string {
  return ([4, 6] as const)
    .flatMap((family) => {
      const own = ips.filter((ip) => ip.family === family)
      const [first] = own
      if (!first) return []
      let length = Math.min(
        family === 4 ? 32 : 128,
        ...prefixes.filter((p) => p.ip.family === family).map((p) => p.length),
      )
      while (length > 0 && !own.every((ip) => prefixContains({ ip: first, length }, ip))) length--
      return [formatPrefix(networkOf({ ip: first, length }))]
    })
    .join(', ')
}

function listed(texts: readonly string[]): string {
  const all = [...new Set(texts)]
  return all.length <= 4 ? all.join(', ') : `${all.slice(0, 3).join(', ')} and ${all.length - 3} more`
}
