/**
 * Which veth belongs to which. The kernel gives each end the ifindex of the other (IFLA_LINK) and a number for its netns
 * that means something only where it was asked (IFLA_LINK_NETNSID). Ifindexes repeat in every netns, so an index pair is
 * a candidate, not a proof. A wrong pair would lead every packet astray: in doubt a veth stays alone.
 */
import type { Issue } from '../model/evidence.ts'
import type { Link, NetnsId } from '../model/network.ts'

/** One netns as pairing sees it. */
export interface VethSide {
  readonly id: NetnsId
  readonly node: string
  readonly kind: 'host' | 'pod' | 'other'
  readonly artefact: string
  readonly links: readonly Link[]
  /** Inode of the netns, and inodes of the netns it has numbers for, from netns.txt. */
  readonly identity: Identity | null
  /** True when other evidence (route to the pod's address, neighbour, forwarding entry) ties the host's veth to the pod's link. */
  tied(link: Link, pod: VethSide, podLink: Link): boolean
}

export interface Identity {
  readonly inode: string
  /** By nsid; without those whose inode was not found. */
  readonly inodes: ReadonlyMap<number, string>
}

interface End {
  readonly side: VethSide
  readonly link: Link
}

export interface Pairing {
  readonly peers: ReadonlyMap<string, { readonly netns: NetnsId; readonly ifindex: number }>
  readonly issues: readonly Issue[]
}

export const endKey = (netns: NetnsId, ifindex: number) => `${netns} ${ifindex}`

/** `inode N`, `nsid ID INODE|- NAME` lines of netns.txt. */
export function readIdentity(text: string): Identity | null {
  const inode = /^inode (\d+)$/m.exec(text)?.[1]
  if (inode === undefined) return null
  const inodes = new Map<number, string>()
  for (const m of text.matchAll(/^nsid (\d+) (\d+)(?: |$)/gm)) inodes.set(Number(m[1]), m[2]!)
  return { inode, inodes }
}

/** Pairs the veths of the netns of one node; across nodes see `pairAcross`. */
export function pairVeths(sides: readonly VethSide[]): Pairing {
  const state = pairingState()
  const ends = endsOf(sides)
  const candidates = candidatesOf(ends)
  for (const end of ends) if (end.link.linkNetnsid === undefined) pairWithin(end, state)
  // What the kernel's own identities prove comes first.
  for (const end of ends) {
    const proven = candidates(end).filter((other) => proof(end, other) === 'same')
    if (proven.length === 1) state.pair(end, proven[0]!)
  }
  const peersBefore = new Map([...state.peers].map(([key, peer]) => [key, peer.netns]))
  const hosts = ends.filter((e) => e.side.kind === 'host' && state.free(e))
  const chosen = hosts.map((host) => ({ host, pod: choose(host, candidates, state) }))
  for (const { host, pod } of chosen) {
    if (pod === null) continue
    // One netns number stands for one netns: where two choices disagree, at least one is wrong.
    const rival = ends.find((e) => e.side === host.side && e.link.linkNetnsid === host.link.linkNetnsid && disagrees(e))
    if (rival) state.doubt(host, `${host.link.name} and ${rival.link.name} share a netns number but lead to two netns`)
    else state.pair(host, pod)

    function disagrees(e: End): boolean {
      const other = chosen.find((c) => c.host === e)?.pod?.side.id ?? peersBefore.get(endKey(e.side.id, e.link.ifindex))
      return other !== undefined && other !== pod?.side.id
    }
  }
  return state
}

/**
 * Pairs veths between nodes (labs on one machine): only where both ends name each other's inode, and no inode stands for
 * two netns. Netns of different machines can have equal inodes.
 */
export function pairAcross(sides: readonly VethSide[], taken: Pairing['peers']): Pairing {
  const state = pairingState()
  const count = new Map<string, number>()
  for (const s of sides) if (s.identity) count.set(s.identity.inode, (count.get(s.identity.inode) ?? 0) + 1)
  const ends = endsOf(sides).filter((e) => !taken.has(endKey(e.side.id, e.link.ifindex)))
  const candidates = candidatesOf(ends)
  for (const end of ends) {
    const proven = candidates(end).filter(
      (other) =>
        other.side.node !== end.side.node &&
        names(end, other) === 'same' &&
        names(other, end) === 'same' &&
        count.get(end.side.identity!.inode) === 1 &&
        count.get(other.side.identity!.inode) === 1,
    )
    if (proven.length === 1) state.pair(end, proven[0]!)
  }
  return state
}

function pairingState() {
  const peers = new Map<string, { netns: NetnsId; ifindex: number }>()
  const issues: Issue[] = []
  const keyOf = (e: End) => endKey(e.side.id, e.link.ifindex)
  return {
    peers,
    issues,
    free: (e: End) => !peers.has(keyOf(e)),
    pair(x: End, y: End) {
      if (peers.has(keyOf(x)) || peers.has(keyOf(y))) return
      peers.set(keyOf(x), { netns: y.side.id, ifindex: y.link.ifindex })
      peers.set(keyOf(y), { netns: x.side.id, ifindex: x.link.ifindex })
    },
    doubt(e: End, message: string) {
      issues.push({ artefact: e.side.artefact, line: e.link.evidence.line, message })
    },
  }
}

function endsOf(sides: readonly VethSide[]): End[] {
  return sides.flatMap((side) =>
    side.links.filter((l) => l.kind === 'veth' && l.lower !== undefined).map((link) => ({ side, link })),
  )
}

/** Ends elsewhere whose index pair is the mirror of this one, and whose identities do not contradict it. */
function candidatesOf(ends: readonly End[]): (end: End) => End[] {
  const byPair = new Map<string, End[]>()
  for (const e of ends) {
    if (e.link.linkNetnsid === undefined) continue
    const key = `${e.link.ifindex} ${e.link.lower}`
    const list = byPair.get(key)
    if (list) list.push(e)
    else byPair.set(key, [e])
  }
  return (end) =>
    end.link.linkNetnsid === undefined
      ? []
      : (byPair.get(`${end.link.lower} ${end.link.ifindex}`) ?? []).filter(
          (other) => other.side !== end.side && proof(end, other) !== 'different',
        )
}

/** Whether the netns that `from` names as its peer's is that of `to`. */
function names(from: End, to: End): 'same' | 'different' | 'unknown' {
  const nsid = from.link.linkNetnsid
  const inode = nsid === undefined ? undefined : from.side.identity?.inodes.get(nsid)
  if (inode === undefined || !to.side.identity) return 'unknown'
  return inode === to.side.identity.inode ? 'same' : 'different'
}

function proof(x: End, y: End): 'same' | 'different' | 'unknown' {
  const both = [names(x, y), names(y, x)]
  return both.includes('different') ? 'different' : both.includes('same') ? 'same' : 'unknown'
}

/** Without a netns number the peer is in the same netns. */
function pairWithin(end: End, state: ReturnType<typeof pairingState>): void {
  const peer = end.side.links.find((l) => l.ifindex === end.link.lower && l.kind === 'veth')
  if (peer && peer.linkNetnsid === undefined && peer.lower === end.link.ifindex)
    state.pair(end, { side: end.side, link: peer })
}

/** The one end in a netns of the same node that mirrors a host's veth; of several, the one other evidence ties to it. */
function choose(host: End, candidates: (end: End) => End[], state: ReturnType<typeof pairingState>): End | null {
  const free = candidates(host).filter((c) => state.free(c))
  if (free.length === 0) return null
  if (free.length === 1) return free[0]!
  const tied = free.filter((c) => host.side.tied(host.link, c.side, c.link))
  if (tied.length === 1) return tied[0]!
  const where = free.map((c) => c.side.id).join(' or ')
  state.doubt(host, `the other end of ${host.link.name} may be in ${where}: not decided`)
  return null
}
