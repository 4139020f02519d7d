import type { Ip } from '../../base/ip.ts'
import { formatIp, ipEquals, isMulticast, UNSPECIFIED } from '../../base/ip.ts'
import { UDP } from '../../base/protocol.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { FdbEntry, Link, Netns, VxlanInfo } from '../../model/network.ts'
import type { Packet } from '../../model/packet.ts'
import { defaultTtl, factsOf, has, isUp } from '../facts.ts'
import type { Flight, Frame, World } from '../flight.ts'
import { end, note, undecided } from '../flight.ts'
import { localOut } from '../ip/output.ts'
import { isLocalAddress } from '../routing/rpfilter.ts'

/** Source port of an outer packet: the kernel takes a hash from the local port range; this one stands for all of them. */
const OUTER_SOURCE_PORT = 45000
/** Outer UDP and VXLAN headers and the inner Ethernet header (RFC 7348 section 5), without the outer IP header. */
const OVERHEAD = 8 + 8 + 14

interface Remote {
  readonly ip: Ip
  readonly port: number
  readonly vni: number
  readonly viaLink: string | null
  readonly text: string
  readonly entry: FdbEntry | null
}

const ZERO_MAC = '00:00:00:00:00:00'

/** `vxlan_xmit` (drivers/net/vxlan/vxlan_core.c): the FDB says which VTEP has the inner MAC, else the default entries or the device's own remote. */
function remotesOf(flight: Flight, link: Link, mac: string): readonly Remote[] | 'fdb-unknown' {
  const vx = link.vxlan
  if (!vx) return []
  const facts = factsOf(flight.netns)
  const own = facts.fdb.get(`${link.name} ${mac}`)?.filter((e) => e.dst) ?? []
  const entries = own.length > 0 ? own : (facts.fdb.get(`${link.name} ${ZERO_MAC}`)?.filter((e) => e.dst) ?? [])
  if (entries.length > 0)
    return entries.map((e) => ({
      ip: e.dst ?? UNSPECIFIED[4],
      port: e.port ?? vx.port,
      vni: e.vni ?? vx.vni,
      viaLink: e.viaLink ?? vx.link ?? null,
      text: own.length > 0 ? `the FDB has ${mac} behind ${formatIp(e.dst ?? UNSPECIFIED[4])}` : 'default FDB entry',
      entry: e,
    }))
  if (!has(flight.netns, 'fdb')) return 'fdb-unknown'
  if (!vx.remote) return []
  return [
    { ip: vx.remote, port: vx.port, vni: vx.vni, viaLink: vx.link ?? null, text: 'remote of the device', entry: null },
  ]
}

/** Wraps the frame and sends the outer packet through the node's own stack: output hook, routing, postrouting. */
export function vxlanTransmit(world: World, flight: Flight, link: Link, frame: Frame): Flight[] {
  const vx = link.vxlan
  if (!vx || vx.external)
    return [
      undecided(
        flight,
        'encap',
        `where ${link.name} of ${flight.netns.id} sends is set by a program (external mode)`,
        'unsupported',
        {
          link: link.name,
          evidence: [link.evidence],
        },
      ),
    ]
  const remotes = remotesOf(flight, link, frame.dst)
  if (remotes === 'fdb-unknown')
    return [
      undecided(flight, 'encap', `FDB of ${link.name} of ${flight.netns.id}`, 'not-collected', { link: link.name }),
    ]
  const target = pickRemote(world, remotes, frame)
  if (!target)
    return [
      end(flight, 'neighbour-unreachable', 'encap', `the FDB of ${link.name} has no entry for ${frame.dst}: dropped`, {
        link: link.name,
        cause: 'fdb-missing',
        evidence: [noEntry(flight.netns, link, frame.dst), link.evidence],
      }),
    ]
  if (target === 'flood')
    return [
      undecided(flight, 'encap', `${link.name} floods ${frame.dst} to several remotes`, 'unsupported', {
        link: link.name,
      }),
    ]
  if (isMulticast(target.ip))
    return [undecided(flight, 'encap', `${link.name} uses a multicast group`, 'unsupported', { link: link.name })]
  const { packet } = flight
  const six = target.ip.family === 6
  const outer: Packet = {
    src: vx.local && vx.local.family === target.ip.family ? vx.local : UNSPECIFIED[target.ip.family],
    dst: target.ip,
    protocol: UDP,
    sport: OUTER_SOURCE_PORT,
    dport: target.port,
    tcpFlags: 0,
    ttl: defaultTtl(flight.netns, target.ip.family),
    dscp: 0,
    length: packet.length + OVERHEAD + (six ? 40 : 20),
    dontFragment: false,
    mark: packet.mark,
  }
  if (vx.local && isLocalAddress(flight.netns, target.ip))
    return [
      end(
        flight,
        'neighbour-unreachable',
        'encap',
        `the FDB sends ${frame.dst} to ${formatIp(target.ip)}, which is this node itself`,
        {
          link: link.name,
          cause: 'vtep-unreachable',
          evidence: target.entry ? [target.entry.evidence] : [],
        },
      ),
    ]
  if (vx.local && !isLocalAddress(flight.netns, vx.local) && has(flight.netns, 'routes'))
    return [
      end(
        flight,
        'no-route',
        'encap',
        `${link.name} sends from ${formatIp(vx.local)}, which is not an address of this node`,
        {
          link: link.name,
          cause: 'tunnel-source-wrong',
          evidence: [link.evidence],
        },
      ),
    ]
  const wrapped: Flight = {
    ...flight,
    packet: outer,
    layers: [...flight.layers, { kind: 'vxlan', vni: target.vni, inner: packet, innerFrame: frame }],
    connection: null,
    untracked: false,
    physIn: null,
  }
  const noted = note(
    wrapped,
    'encap',
    `${link.name} wraps it in VXLAN ${target.vni} to ${formatIp(target.ip)} port ${target.port}: ${target.text}`,
    { link: link.name, evidence: target.entry ? [target.entry.evidence] : [link.evidence] },
  )
  return localOut(world, noted, target.viaLink, false)
}

/** With several remotes the frame goes to all; the one whose VXLAN device has the MAC takes it. */
function pickRemote(world: World, remotes: readonly Remote[], frame: Frame): Remote | null | 'flood' {
  if (remotes.length <= 1) return remotes[0] ?? null
  const taking = remotes.filter((r) =>
    [...world.network.netns.values()].some(
      (n) =>
        n.links.some((l) => l.addresses.some((a) => ipEquals(a.ip, r.ip))) &&
        n.links.some((l) => l.vxlan?.vni === r.vni && l.mac === frame.dst),
    ),
  )
  return taking.length === 1 ? taking[0]! : 'flood'
}

/** True when the outer packet is one this netns's VXLAN devices could take. */
export function isVxlan(flight: Flight): boolean {
  return flight.packet.protocol === UDP && flight.layers[flight.layers.length - 1]?.kind === 'vxlan'
}

/**
 * `vxlan_rcv`: the UDP port must be that of an up VXLAN device, one of them must have the VNI, and the frame inside is
 * received by that device. A device has a socket of one family only (`vxlan_sock_add`, Linux 6.18), so two devices of a
 * dual-stack node may share port and VNI.
 */
export function vxlanReceive(flight: Flight): Flight[] {
  const { netns, packet } = flight
  const layer = flight.layers[flight.layers.length - 1]
  if (!layer) return [flight]
  const devices = netns.links.filter((l) => l.vxlan && !l.vxlan.external && socketFamily(l.vxlan) === packet.dst.family)
  const fail = (cause: 'tunnel-down' | 'tunnel-port-mismatch' | 'tunnel-vni-mismatch', text: string): Flight[] => [
    end(flight, 'denied', 'decap', text, { cause, evidence: devices.map((d) => d.evidence) }),
  ]
  if (netns.links.some((l) => l.vxlan?.external && l.vxlan.port === packet.dport && isUp(l)))
    return [undecided(flight, 'decap', 'the tunnel device is steered by a program (external mode)', 'unsupported')]
  const onPort = devices.filter((l) => l.vxlan?.port === packet.dport)
  if (onPort.length === 0) {
    const other = devices[0]
    return other
      ? fail(
          'tunnel-port-mismatch',
          `VXLAN arrives on port ${packet.dport}, but ${other.name} listens on ${other.vxlan?.port}`,
        )
      : fail('tunnel-down', `no VXLAN device here takes port ${packet.dport}`)
  }
  const up = onPort.filter(isUp)
  if (up.length === 0) return fail('tunnel-down', `${onPort[0]!.name} is down`)
  const device = up.find((l) => l.vxlan?.vni === layer.vni)
  if (!device) {
    const sameVni = onPort.find((l) => l.vxlan?.vni === layer.vni)
    if (sameVni) return fail('tunnel-down', `${sameVni.name} is down`)
    return fail('tunnel-vni-mismatch', `VXLAN ${layer.vni} arrives, but ${up[0]!.name} has VNI ${up[0]!.vxlan?.vni}`)
  }
  if (layer.innerFrame.src === device.mac)
    return [
      end(flight, 'loop', 'decap', `${device.name} drops its own frame (same MAC as the sender)`, {
        link: device.name,
        cause: 'loop',
        evidence: [device.evidence],
      }),
    ]
  const unwrapped: Flight = {
    ...flight,
    packet: { ...layer.inner, mark: packet.mark },
    layers: flight.layers.slice(0, -1),
    connection: null,
    untracked: false,
    physIn: null,
  }
  const noted = note(unwrapped, 'decap', `${device.name} unwraps VXLAN ${layer.vni} from ${formatIp(packet.src)}`, {
    link: device.name,
  })
  return [
    {
      ...noted,
      stage: { kind: 'receive', link: device, frame: layer.innerFrame, host: false, prerouted: false },
    },
  ]
}

/** The family of the device's socket: IPv6 when its local or remote address is (`vxlan_nl2conf`, VXLAN_F_IPV6). */
function socketFamily(vxlan: VxlanInfo): 4 | 6 {
  return (vxlan.local ?? vxlan.remote)?.family ?? 4
}

/** The forwarding table as proof of what is not in it. */
function noEntry(netns: Netns, link: Link, mac: string): Evidence {
  const artefact = netns.fdb[0]?.evidence.artefact ?? link.evidence.artefact.replace(/[^/]*$/, 'bridge-fdb.json')
  return { artefact, text: `no entry for ${mac} on ${link.name}` }
}
