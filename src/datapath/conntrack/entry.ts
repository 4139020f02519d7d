/** Making entries, reading what NAT did to them, and the state a packet has on them. */
import { ipEquals } from '../../base/ip.ts'
import { TCP } from '../../base/protocol.ts'
import type { ConntrackEntry, CtState, Tuple } from '../../model/conntrack.ts'
import type { Packet } from '../../model/packet.ts'
import type { Found } from './lookup.ts'
import { invert, tupleOf } from './tuple.ts'

/** The unconfirmed entry of a first packet: the reply is the mirror of the original until NAT changes it. */
export function newEntry(packet: Packet, zone: number): ConntrackEntry {
  const original = tupleOf(packet)
  return {
    original,
    reply: invert(original),
    ...(packet.protocol === TCP ? { tcpState: 'SYN_SENT' } : {}),
    seenReply: false,
    assured: false,
    mark: 0,
    zone,
  }
}

/**
 * The state of a packet on an entry that is in the table (`resolve_normal_ct`): replies and everything after one are
 * established, a repeated first packet is still new.
 */
export function stateOn(found: Found): CtState {
  return found.direction === 'reply' || found.entry.seenReply ? 'established' : 'new'
}

/** The entry after a packet in `direction` passed, as later packets will find it. */
export function afterPacket(entry: ConntrackEntry, direction: 'original' | 'reply'): ConntrackEntry {
  if (direction === 'original' || entry.seenReply) return entry
  return { ...entry, seenReply: true, ...(entry.tcpState === 'SYN_SENT' ? { tcpState: 'ESTABLISHED' } : {}) }
}

/** IPS_SRC_NAT: the reply does not go back to the original source. */
export function isSrcNat(entry: ConntrackEntry): boolean {
  return !ipEquals(entry.reply.dst, entry.original.src) || entry.reply.dport !== entry.original.sport
}

/** IPS_DST_NAT: the reply does not come from the original destination. */
export function isDstNat(entry: ConntrackEntry): boolean {
  return !ipEquals(entry.reply.src, entry.original.dst) || entry.reply.sport !== entry.original.dport
}

/** The entry with the tuple that original packets have after translation (`nf_conntrack_alter_reply`). */
export function withTranslated(entry: ConntrackEntry, translated: Tuple): ConntrackEntry {
  return { ...entry, reply: invert(translated) }
}
