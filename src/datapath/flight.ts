import { formatIp, type Ip } from '../base/ip.ts'
import type { ConntrackEntry } from '../model/conntrack.ts'
import type { Evidence } from '../model/evidence.ts'
import type { Link, Netns, NetnsId, Network } from '../model/network.ts'
import type { Encap, Packet } from '../model/packet.ts'
import type { Disposition, DropCause, Hop, PacketTrace, Step, StepKind } from '../model/trace.ts'
import { netnsName } from './facts.ts'
import type { Connection, LinkView, Memory } from './netfilter/types.ts'
import type { Path } from './routing/lookup.ts'

/** Link-layer header of a packet on a link. `dst` is empty on links without addresses (tunnels, loopback). */
export interface Frame {
  readonly src: string
  readonly dst: string
  /** 802.1Q tag. */
  readonly vlan?: number
}

/** A packet put aside while its encapsulation travels. */
export interface Layer {
  readonly kind: Encap['kind']
  readonly vni?: number
  readonly inner: Packet
  readonly innerFrame: Frame
}

/** Where a packet is on its way through the kernel: what happens to it next. */
export type Stage =
  /** Made here, by a socket or a tunnel device: route, output hook, postrouting. */
  | { readonly kind: 'output'; readonly oif: string | null; readonly socket: boolean }
  /** Handed to a link's `ndo_start_xmit`. */
  | { readonly kind: 'transmit'; readonly link: Link; readonly frame: Frame; readonly nexthop: Ip | null }
  /** Arrives at a link (`__netif_receive_skb_core`). `host` is true when a bridge already took it as its own. */
  | {
      readonly kind: 'receive'
      readonly link: Link
      readonly frame: Frame
      readonly host: boolean
      readonly prerouted: boolean
    }
  /** `ip_rcv` and `ipv6_rcv`. */
  | { readonly kind: 'ip-input'; readonly link: Link; readonly prerouted: boolean }
  /** After prerouting: `ip_rcv_finish`. */
  | { readonly kind: 'ip-route'; readonly link: Link }
  | { readonly kind: 'forward'; readonly link: Link; readonly path: Path }
  | { readonly kind: 'deliver'; readonly link: Link }
  | { readonly kind: 'ended'; readonly disposition: Disposition }

interface Trail {
  readonly netns: Netns
  readonly step: Step
  readonly before: Trail | null
}

/** The largest packet the links passed so far carry, in bytes of the innermost IP packet, and which link sets it. */
export interface PathMtu {
  readonly bytes: number
  readonly where: string
  /** True when a router that returns "fragmentation needed" sets the limit; a too small layer-2 link drops silently. */
  readonly reported: boolean
}

/** One packet under way: a persistent value, so that forks share their past. */
export interface Flight {
  readonly probability: number
  /** As on the wire where it is now; with `layers`, the outermost. */
  readonly packet: Packet
  /** Innermost first. */
  readonly layers: readonly Layer[]
  readonly netns: Netns
  readonly connection: Connection | null
  readonly untracked: boolean
  readonly memory?: Memory
  /** Bridge port it entered this netns by, while br_netfilter remembers. */
  readonly physIn: LinkView | null
  readonly connections: ReadonlyMap<NetnsId, readonly ConntrackEntry[]>
  /** Neighbour entries that asking made on the way: `NETNS LINK ADDRESS` → MAC. See learn. */
  readonly learned: ReadonlyMap<string, string>
  readonly unknowns: readonly string[]
  readonly mtu: PathMtu | null
  /** The largest packet the sender makes: MTU of its first route, in bytes. */
  readonly sendMtu: number | null
  /** Stages passed: bounds loops. */
  readonly age: number
  readonly trail: Trail | null
  readonly stage: Stage
}

/** What the end of the way checks: a listening socket, or that an answer finds the one who asked. */
export type Purpose =
  | { readonly kind: 'request' }
  | {
      /** `asker` null: outside the network. `handshake`: the third packet, to the server's half-open connection. */
      readonly kind: 'reply' | 'handshake'
      readonly asker: NetnsId | null
      /** The packet as the receiver's socket expects it. */
      readonly expected: { readonly src: Ip; readonly sport: number; readonly dst: Ip; readonly dport: number }
    }

/** What stays the same for one packet's trace. */
export interface World {
  readonly network: Network
  readonly purpose: Purpose
  /** Snapshot conntrack entries are honoured: the asked 5-tuple is exactly known. */
  readonly exactTuple: boolean
}

/** A neighbour entry of a netns, by the name `learned` keeps it under. */
export const neighbourKey = (netns: Netns, link: Link, ip: Ip): string => `${netns.id} ${link.name} ${formatIp(ip)}`

/**
 * Who answers an ARP request or a neighbour solicitation also notes who asked (`arp_process` calls `neigh_event_ns`, `ndisc_recv_ns`
 * `__neigh_lookup`): the way back needs no answer of its own, even where arp_ignore would forbid one.
 */
export function learn(flight: Flight, taught: { readonly key: string; readonly mac: string } | undefined): Flight {
  return taught ? { ...flight, learned: new Map(flight.learned).set(taught.key, taught.mac) } : flight
}

/** Innermost packet: what the user asked about. */
export function innermost(flight: Flight): Packet {
  return flight.layers[0]?.inner ?? flight.packet
}

/** Headers around the innermost packet, outermost first. */
export function encapsOf(flight: Flight): Encap[] {
  const encaps: Encap[] = []
  for (let i = flight.layers.length - 1; i >= 0; i--) {
    const layer = flight.layers[i]!
    const outer = flight.layers[i + 1]?.inner ?? flight.packet
    encaps.push(layer.vni === undefined ? { kind: layer.kind, outer } : { kind: layer.kind, outer, vni: layer.vni })
  }
  return encaps
}

export interface StepDetail {
  readonly link?: string
  readonly hook?: Step['hook']
  readonly table?: string
  readonly chain?: string
  readonly rule?: string
  readonly verdict?: Step['verdict']
  readonly evidence?: readonly Evidence[]
  readonly cause?: DropCause
}

/** The flight with one more step on its trail, in the netns where it is now. */
export function note(flight: Flight, kind: StepKind, text: string, detail: StepDetail = {}): Flight {
  const encap = encapsOf(flight)
  const step: Step = {
    kind,
    text,
    ...detail,
    packet: innermost(flight),
    ...(encap.length > 0 ? { encap } : {}),
    verdict: detail.verdict ?? 'continue',
    evidence: detail.evidence ?? [],
  }
  return { ...flight, trail: { netns: flight.netns, step, before: flight.trail } }
}

/** Ends the flight with a last step that says why. */
export function end(
  flight: Flight,
  disposition: Disposition,
  kind: StepKind,
  text: string,
  detail: StepDetail = {},
): Flight {
  const verdict =
    detail.verdict ??
    (disposition === 'delivered'
      ? 'accept'
      : disposition === 'insufficient-info'
        ? 'unknown'
        : disposition === 'exits-network'
          ? 'continue'
          : disposition === 'rejected' || disposition === 'no-listener'
            ? 'reject'
            : 'drop')
  return { ...note(flight, kind, text, { ...detail, verdict }), stage: { kind: 'ended', disposition } }
}

/** Ends the flight undecided, naming what is missing or not understood. */
export function undecided(
  flight: Flight,
  kind: StepKind,
  what: string,
  cause: 'not-collected' | 'unsupported' | 'opaque-rule',
  detail: StepDetail = {},
): Flight {
  const ended = end(flight, 'insufficient-info', kind, what, { ...detail, verdict: 'unknown', cause })
  return { ...ended, unknowns: [...flight.unknowns, what] }
}

/** Steps on the trail grouped into stays in one netns, oldest first. */
export function hopsOf(flight: Flight): Hop[] {
  const steps: { netns: Netns; step: Step }[] = []
  for (let t = flight.trail; t; t = t.before) steps.push({ netns: t.netns, step: t.step })
  steps.reverse()
  const hops: { netns: NetnsId; node: string; steps: Step[] }[] = []
  for (const { netns, step } of steps) {
    const last = hops[hops.length - 1]
    if (last && last.netns === netns.id) last.steps.push(step)
    else hops.push({ netns: netns.id, node: netns.node, steps: [step] })
  }
  return hops
}

export function toTrace(flight: Flight): PacketTrace {
  return {
    probability: flight.probability,
    disposition: flight.stage.kind === 'ended' ? flight.stage.disposition : 'insufficient-info',
    hops: hopsOf(flight),
    packet: innermost(flight),
    netns: flight.netns.id,
    connections: flight.connections,
    unknowns: flight.unknowns,
  }
}

/**
 * The flight in another netns: `skb_scrub_packet` (net/core/skbuff.c) forgets conntrack and bridge data always, and the
 * mark when the netns differs.
 */
export function cross(flight: Flight, netns: Netns, stage: Stage): Flight {
  const other = netns.id !== flight.netns.id
  const { memory, ...rest } = flight
  return {
    ...rest,
    ...(memory ? { memory: other ? { ...memory, recent: new Map(), touched: new Set() } : memory } : {}),
    netns,
    stage,
    packet: other && flight.packet.mark !== 0 ? { ...flight.packet, mark: 0 } : flight.packet,
    connection: null,
    untracked: false,
    physIn: null,
  }
}

/** Name of the netns the flight is in, for texts. */
export function netnsLabel(flight: Flight): string {
  return netnsName(flight.netns)
}
