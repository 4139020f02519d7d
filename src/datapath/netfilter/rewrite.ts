/** Statements that change the packet, its connection or what is remembered of it, and let it go on. */
import { hasPorts } from '../../base/protocol.ts'
import type { Packet } from '../../model/packet.ts'
import type { Field, Statement, Value } from '../../model/ruleset.ts'
import { setMemory } from './expression.ts'
import { isIp } from './got.ts'
import { type Place, touch, type Walk } from './walk.ts'

export function setPacketMark(walk: Walk, mark: number): void {
  if (walk.packet.mark !== mark >>> 0) walk.packet = { ...walk.packet, mark: mark >>> 0 }
}

/** Without a connection there is nothing to mark and the rule goes on. */
export function setConnectionMark(walk: Walk, mark: number): void {
  const c = walk.connection
  if (c === null || c.entry.mark === mark >>> 0) return
  walk.connection = { ...c, entry: { ...c.entry, mark: mark >>> 0 } }
}

/** xt_CONNMARK save and restore: `to = (to & ~toMask) ^ (from & fromMask)`. */
export function copyMark(walk: Walk, s: Extract<Statement, { kind: 'copyMark' }>): void {
  const c = walk.connection
  if (c === null) {
    if (walk.template && s.to === 'packet') setPacketMark(walk, walk.packet.mark & ~s.toMask)
    return
  }
  if (s.to === 'packet') setPacketMark(walk, (walk.packet.mark & ~s.toMask) ^ (c.entry.mark & s.fromMask))
  else setConnectionMark(walk, (c.entry.mark & ~s.toMask) ^ (walk.packet.mark & s.fromMask))
}

function setZone(walk: Walk, zone: number): void {
  if (walk.connection !== null || walk.untracked || walk.template) return
  walk.zone = zone
  walk.template = true
}

/** xt_TTL, xt_HL: clamped to 0–255. */
export function setTtl(walk: Walk, s: Extract<Statement, { kind: 'ttl' }>): void {
  const old = walk.packet.ttl
  if (old < 0 && s.op !== 'set') return
  const ttl = s.op === 'set' ? s.value : s.op === 'inc' ? Math.min(255, old + s.value) : Math.max(0, old - s.value)
  if (ttl !== old) walk.packet = { ...walk.packet, ttl }
}

/**
 * nft `FIELD set VALUE`. False when the field cannot be written to in a way we can follow; fields that nothing later can
 * act on are accepted and remembered as rewritten.
 */
export function setField(walk: Walk, field: Field, value: Value): boolean {
  const change = (part: Partial<Packet>) => {
    walk.packet = { ...walk.packet, ...part }
    return true
  }
  if (typeof value === 'number') {
    switch (field) {
      case 'meta.mark':
        setPacketMark(walk, value)
        return true
      case 'ct.mark':
        setConnectionMark(walk, value)
        return true
      case 'ip.ttl':
      case 'ip6.hoplimit':
        return change({ ttl: value & 255 })
      case 'ip.dscp':
      case 'ip6.dscp':
        return change({ dscp: value & 63 })
      case 'ip.ecn':
      case 'ip6.ecn':
        walk.memory = { ...walk.memory, ecn: value & 3 }
        return true
      case 'ct.zone':
        // nft_ct_set_zone_eval takes back a notrack before it, xt_ct_target does not.
        walk.untracked = false
        setZone(walk, value)
        return true
      case 'th.sport':
      case 'tcp.sport':
      case 'udp.sport':
      case 'sctp.sport':
        return hasPorts(walk.packet.protocol) && change({ sport: value & 0xffff })
      case 'th.dport':
      case 'tcp.dport':
      case 'udp.dport':
      case 'sctp.dport':
        return hasPorts(walk.packet.protocol) && change({ dport: value & 0xffff })
      default:
        break
    }
  }
  if (isIp(value) && value.family === walk.packet.src.family) {
    if (field === 'ip.saddr' || field === 'ip6.saddr') return change({ src: value })
    if (field === 'ip.daddr' || field === 'ip6.daddr') return change({ dst: value })
  }
  switch (field) {
    case 'meta.priority':
    case 'meta.pkttype':
    case 'meta.cgroup':
    case 'ct.label':
    case 'ct.helper':
    case 'ip6.flowlabel':
    case 'ip.id':
    case 'ip.frag-off':
    case 'tcp.window':
      touch(walk, field)
      return true
    default:
      return false
  }
}

type Plain = Extract<
  Statement,
  { kind: 'setMark' | 'copyMark' | 'notrack' | 'ctZone' | 'ttl' | 'dscp' | 'mss' | 'setUpdate' | 'note' }
>

/** Carries out a statement that always lets the packet go on; says what it did. */
export function act(walk: Walk, place: Place, s: Plain): string {
  const hex = (n: number) => `0x${(n >>> 0).toString(16)}`
  switch (s.kind) {
    case 'setMark':
      if (s.of === 'packet') {
        setPacketMark(walk, (walk.packet.mark & ~s.mask) ^ s.value)
        return `mark ${hex(walk.packet.mark)}`
      }
      if (walk.connection) setConnectionMark(walk, (walk.connection.entry.mark & ~s.mask) ^ s.value)
      return 'connmark'
    case 'copyMark':
      copyMark(walk, s)
      return s.to === 'packet' ? `mark ${hex(walk.packet.mark)}` : 'connmark'
    case 'notrack':
      // Whoever hung something on the packet first wins: xt_ct_target, nft_notrack_eval.
      if (walk.connection === null && !walk.template) walk.untracked = true
      return 'notrack'
    case 'ctZone':
      setZone(walk, s.zone)
      return `zone ${s.zone}`
    case 'ttl':
      setTtl(walk, s)
      return `ttl ${walk.packet.ttl}`
    case 'dscp':
      if (walk.packet.dscp !== s.value) walk.packet = { ...walk.packet, dscp: s.value }
      return `dscp ${s.value}`
    case 'mss':
      return 'mss'
    case 'setUpdate':
      touch(walk, setMemory(place, s.set))
      return `${s.op} ${s.set}`
    case 'note':
      // xt_CT without a zone (a helper, events) hangs a template on the packet too.
      if (s.what === 'CT') setZone(walk, 0)
      return ''
  }
}
