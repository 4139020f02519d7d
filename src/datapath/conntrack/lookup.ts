/** Finding the entry a packet belongs to, in either direction (`nf_conntrack_find_get`, `resolve_normal_ct`, Linux 6.18). */
import { ICMP } from '../../base/protocol.ts'
import type { ConntrackEntry, Tuple } from '../../model/conntrack.ts'
import type { Packet } from '../../model/packet.ts'
import { isIcmp, tupleKey, tupleOf } from './tuple.ts'

export interface Found {
  readonly entry: ConntrackEntry
  readonly direction: 'original' | 'reply'
}

type Index = ReadonlyMap<string, Found>

const indexes = new WeakMap<readonly ConntrackEntry[], Index>()

function indexOf(table: readonly ConntrackEntry[]): Index {
  const known = indexes.get(table)
  if (known) return known
  const index = new Map<string, Found>()
  for (const entry of table) {
    const original = directed('original', entry.original, entry.zone)
    const reply = directed('reply', entry.reply, entry.zone)
    if (!index.has(original)) index.set(original, { entry, direction: 'original' })
    if (!index.has(reply)) index.set(reply, { entry, direction: 'reply' })
  }
  indexes.set(table, index)
  return index
}

/** ICMP tuples hold the message type too: a request is never the reply of another request, so the direction is part of the key. */
function directed(direction: 'original' | 'reply', tuple: Tuple, zone: number): string {
  const key = tupleKey(tuple, zone)
  return isIcmp(tuple.protocol) ? `${direction} ${key}` : key
}

/** The entry of `table` that the packet matches in `zone`, or null. */
export function findEntry(table: readonly ConntrackEntry[], packet: Packet, zone: number): Found | null {
  const index = indexOf(table)
  const direction = isReplyMessage(packet) ? 'reply' : 'original'
  return index.get(directed(direction, tupleOf(packet), zone)) ?? null
}

/** True when some entry already uses `tuple` in one of its directions (`nf_conntrack_tuple_taken`). */
export function tupleTaken(table: readonly ConntrackEntry[], tuple: Tuple, zone: number): boolean {
  const index = indexOf(table)
  if (!isIcmp(tuple.protocol)) return index.has(tupleKey(tuple, zone))
  return index.has(directed('reply', tuple, zone))
}

/** ICMP messages that answer a query: echo, timestamp, information, address mask (`invmap`, nf_conntrack_proto_icmp.c and icmpv6.c). */
export function isReplyMessage(packet: Packet): boolean {
  const type = packet.icmp?.type
  if (type === undefined || !isIcmp(packet.protocol)) return false
  return packet.protocol === ICMP
    ? type === 0 || type === 14 || type === 16 || type === 18
    : type === 129 || type === 140
}
