/** Where on the predicted way the packets of the probes were last seen. */
import { UDP } from '../../../base/protocol.ts'
import type { NetnsId } from '../../../model/network.ts'
import type { Sightings } from '../../../model/probe.ts'
import type { PacketTrace } from '../../../model/trace.ts'
import type { Branch, Inquiry } from '../../inquiry.ts'

export interface Checkpoint {
  readonly netns: NetnsId
  readonly node: string
  readonly link: string
  readonly way: 'in' | 'out'
  readonly direction: 'forward' | 'reply'
}

export interface LostBetween {
  readonly last: Checkpoint
  readonly next: Checkpoint
  /** Packets seen at `last` and at `next`. */
  readonly left: number
  readonly arrived: number
  /** A netns between the two was not watched. */
  readonly gap: boolean
}

function checkpointsOf(trace: PacketTrace, direction: 'forward' | 'reply'): Checkpoint[] {
  return trace.hops.flatMap((hop) =>
    hop.steps.flatMap((s): Checkpoint[] => {
      const way = s.kind === 'receive' ? 'in' : s.kind === 'send' || s.kind === 'wire' ? 'out' : null
      return way === null || s.link === undefined || s.link === 'lo'
        ? []
        : [{ netns: hop.netns, node: hop.node, link: s.link, way, direction }]
    }),
  )
}

/** The links a connection passes, there and back, in order. */
export function checkpoints(branch: Branch): Checkpoint[] {
  const { forward, reply } = branch.trace
  return [...checkpointsOf(forward, 'forward'), ...(reply ? checkpointsOf(reply, 'reply') : [])]
}

function seenAt(s: Sightings, c: Checkpoint): number {
  const ids = new Set<string>()
  for (const x of s.seen)
    if (x.netns === c.netns && x.link === c.link && x.way === c.way && x.direction === c.direction) ids.add(x.id)
  return ids.size
}

/** A tenth of the packets may be under way when the watchers stop. */
const STILL_UNDER_WAY = 0.9

/** The first place where packets go missing, or null: nobody watched, several ways are possible, or all were seen to the end. */
export function lostBetween(q: Inquiry): LostBetween | null {
  const sightings = q.probes?.sightings
  const own = q.branches.filter((b) => b.stage === undefined)
  const [branch] = own
  if (!sightings || !branch || own.length !== 1) return null
  const watched = new Set(sightings.watched)
  let last: { at: Checkpoint; count: number } | null = null
  let gap = false
  for (const c of checkpoints(branch)) {
    if (!watched.has(c.netns)) {
      gap = true
      continue
    }
    const count = seenAt(sightings, c)
    // Answers of UDP carry nothing of the request: that there are any is all that is known.
    const enough = c.direction === 'reply' && q.protocol === UDP ? 1 : (last?.count ?? 0) * STILL_UNDER_WAY
    if (last && last.count > 0 && count < enough)
      return { last: last.at, next: c, left: last.count, arrived: count, gap }
    if (!last && count === 0) return null
    last = { at: c, count }
    gap = false
  }
  return null
}

/** `leaves node1 by eth0`, `arrives at pod shop/web-1 by eth0`. */
export function checkpointText(c: Checkpoint): string {
  const place = c.netns.includes('/pod/') ? `pod ${c.netns.slice(c.netns.indexOf('/pod/') + 5)}` : c.node
  return `${c.way === 'in' ? 'arriving at' : 'leaving'} ${place} by ${c.link}`
}
