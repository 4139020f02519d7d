import type { Link, Qdisc } from '../../model/network.ts'
import type { Flight } from '../flight.ts'
import { note, undecided } from '../flight.ts'

/** Qdiscs that only pace or order packets. */
const SHAPERS = new Set(['tbf', 'htb', 'hfsc', 'cake', 'fq', 'codel', 'fq_codel', 'sfq', 'red'])

/** Filters that only copy packets elsewhere: a capture or a mirror does not touch the original. */
const copies = (filter: string): boolean =>
  /mirred/i.test(filter) && /mirror/i.test(filter) && !/redirect|drop|shot|bpf|pedit|nat|ct\b/i.test(filter)

/**
 * `sch_handle_ingress`, `sch_handle_egress`, and the root qdisc. A filter that may drop, redirect or change packets is not
 * followed: its netns says what it is and the flight ends undecided.
 */
export function trafficControl(flight: Flight, link: Link, direction: 'ingress' | 'egress'): Flight {
  const own = flight.netns.qdiscs.filter((q) => q.link === link.name)
  let after = flight
  for (const q of own) {
    const opaque = q.filters.filter((f) => concerns(q, f, direction) && !copies(f))
    if (opaque.length > 0)
      return undecided(
        after,
        'tc',
        `tc filter on ${link.name} (${direction}) may drop or redirect: ${opaque[0]!.slice(0, 120)}`,
        'opaque-rule',
        { link: link.name, evidence: [q.evidence] },
      )
    if (direction === 'egress' && SHAPERS.has(q.kind) && q.rate !== undefined)
      after = note(after, 'tc', `${link.name} is shaped to ${q.rate} bytes per second (${q.kind})`, {
        link: link.name,
        evidence: [q.evidence],
      })
  }
  return after
}

/** clsact and ingress qdiscs hold filters of both directions; the text says which, where it does. */
function concerns(q: Qdisc, filter: string, direction: 'ingress' | 'egress'): boolean {
  if (q.kind === 'ingress') return direction === 'ingress'
  if (q.kind !== 'clsact') return false
  if (/\bingress\b|fff2\b/.test(filter)) return direction === 'ingress'
  if (/\begress\b|fff3\b/.test(filter)) return direction === 'egress'
  return true
}
