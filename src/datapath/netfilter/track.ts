/** Conntrack's own hook: which connection a packet belongs to (`nf_conntrack_in`, Linux 6.18). */

import { newEntry, stateOn } from '../conntrack/entry.ts'
import { classifyFirst, malformedTcp } from '../conntrack/first-packet.ts'
import { findEntry } from '../conntrack/lookup.ts'
import { giveUp } from './chain-run.ts'
import type { Run, Walk } from './walk.ts'

/** False when the walk ended here, undecided. */
export function track(run: Run, walk: Walk): boolean {
  // Seen before: a packet that comes back over loopback, or one that is not to be tracked.
  if (walk.connection !== null || walk.untracked) return true
  walk.template = false
  const { packet } = walk
  if (malformedTcp(packet)) return true
  const found = findEntry(run.conntrack, packet, walk.zone)
  if (found) {
    walk.connection = {
      entry: found.entry,
      direction: found.direction,
      state: stateOn(found),
      fresh: false,
      settled: { src: true, dst: true },
    }
    return true
  }
  switch (classifyFirst(packet, run.around.sysctl('net.netfilter.nf_conntrack_tcp_loose') !== '0')) {
    case 'new':
      walk.connection = {
        entry: newEntry(packet, walk.zone),
        direction: 'original',
        state: 'new',
        fresh: true,
        settled: { src: false, dst: false },
      }
      return true
    case 'invalid':
      return true
    case 'untracked':
      walk.untracked = true
      return true
    case 'icmp-error':
      // The packet it quotes decides; without a table there is nothing it could relate to.
      if (run.conntrack.length === 0) return true
      giveUp(run, walk, 'whether the ICMP error belongs to a connection is not known')
      return false
  }
}
