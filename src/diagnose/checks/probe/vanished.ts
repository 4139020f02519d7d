/** The state says the packets arrive, and they do not: where they vanish, and what counter says why. */
import type { Evidence } from '../../../model/evidence.ts'
import type { CounterMove } from '../../../model/probe.ts'
import type { Code } from '../../codes.ts'
import type { Inquiry, StateFinding } from '../../inquiry.ts'
import { askedTries, predicted, probeFailed, probeProof } from '../../probes.ts'
import { checkpointText, type LostBetween, lostBetween } from './last-seen.ts'
import { onTheWire } from './on-the-wire.ts'

/** Fewer than this share of the lost packets in a counter is not about them. */
const SHARE = 0.5

function because(move: CounterMove): { code: Code; text: string } | null {
  const inPod = move.netns.includes('/pod/')
  if (move.kind === 'rule' || move.kind === 'chain-policy') {
    const code: Code = inPod ? 'pod-firewall-drop' : move.table === 'raw' ? 'raw-drop' : 'forward-drop'
    return {
      code,
      text: `they moved the counter of ${move.kind === 'rule' ? 'rule' : 'chain policy'} ${move.name} by ${move.by}`,
    }
  }
  if (move.name === 'TcpExtIPReversePathFilter')
    return {
      code: 'rp-filter-drop',
      text: `the kernel's counter of packets dropped by the reverse path filter rose by ${move.by}`,
    }
  if (move.name === 'TcpExtListenOverflows')
    return {
      code: 'accept-queue-overflow',
      text: `the kernel's counter of connections dropped at a full accept queue rose by ${move.by}`,
    }
  if (move.kind === 'link' || move.kind === 'qdisc')
    return { code: 'packet-loss', text: `"${move.name}" rose by ${move.by}` }
  return null
}

export function moveProof(m: CounterMove): Evidence {
  return { artefact: `probe: ${m.command}`, text: `${m.name}: +${m.by} during the probes`, source: '--prove' }
}

function watchedEvidence(q: Inquiry, lost: LostBetween): Evidence {
  return {
    artefact: `probe: capture at ${q.probes?.sightings?.watched.join(', ')}`,
    text: `${lost.left} packets seen ${checkpointText(lost.last)}, ${lost.arrived} ${checkpointText(lost.next)}`,
    source: '--prove',
  }
}

/**
 * Where packets go missing before they come into the netns where the state has them die; null otherwise. Inside that netns the
 * state's reason stands: a link sends nothing to a neighbour that does not answer.
 */
export function lostBeforePrediction(q: Inquiry): LostBetween | null {
  const lost = lostBetween(q)
  const [failure] = predicted(q)
  if (!lost || lost.gap || lost.arrived > 0 || !failure || !probeFailed(q)) return null
  return lost.last.netns === failure.hop.netns ? null : lost
}

/** `underlay-drop` and what counters tell: no packet of the connection gets through, and the state does not say why. */
export function packetsVanish(q: Inquiry): StateFinding[] {
  return probeFailed(q) ? whereLost(q) : []
}

/** Where packets go missing, as a finding: `underlay-drop`, `packet-loss`, or the code of the counter that moved. */
export function whereLost(q: Inquiry): StateFinding[] {
  const own = predicted(q)
  const lost = lostBetween(q)
  if (own.length > 0 && !lostBeforePrediction(q)) return []
  if (!lost) return own.length > 0 ? [] : unseen(q)
  // Refusals are told by a check of their own.
  if (askedTries(q).some((r) => (r.senders ?? []).length > 0)) return []
  const { last, next, left, arrived } = lost
  const all = probeFailed(q)
  const way = last.direction === 'reply' ? ' on the way back' : ''
  const count = arrived === 0 ? 'none of them' : `only ${arrived} of them`
  const facts = `${left} packets of the probe are seen ${checkpointText(last)}${way}, and ${count} ${checkpointText(next)}`
  const moved = (q.probes?.moved ?? []).filter(
    (m) => (m.netns === last.netns || m.netns === next.netns) && m.by >= Math.max(1, (left - arrived) * SHARE),
  )
  const named = moved.map((m) => ({ m, why: because(m) })).find((x) => x.why !== null)
  const evidence = [watchedEvidence(q, lost), ...moved.slice(0, 4).map(moveProof), ...askedTries(q).map(probeProof)]
  const between = last.node !== next.node
  const where = {
    node: last.netns === next.netns ? next.node : last.node,
    ...(last.netns === next.netns ? { netns: next.netns.slice(next.node.length + 1) } : {}),
    link: last.link,
    ...(last.direction === 'reply' ? { direction: 'reply' as const } : {}),
  }
  const make = (code: Code, title: string, text: string, remedy: string): StateFinding[] => [
    {
      hurts: true,
      all,
      finding: { code, severity: 'error', title, text, where, evidence, remedy: { text: remedy, verified: false } },
    },
  ]
  if (between && last.netns !== next.netns && !lost.gap) {
    const title =
      all && arrived === 0
        ? `packets leave ${last.node} by ${last.link} and never arrive at ${next.node}${way}`
        : `${left - arrived} of ${left} packets are lost between ${last.node} and ${next.node}${way}`
    const text = `${facts}. Routes, rules and tunnels of both nodes are right; what is between them drops the packets (security group, anti-spoofing, switch, cable, firewall between the nodes).`
    return make(
      all && arrived === 0 ? 'underlay-drop' : 'packet-loss',
      title,
      text,
      `Allow ${onTheWire(q)} between the nodes in the network outside them; look at the error counters of NICs and switch ports of the path.`,
    )
  }
  if (named?.why)
    return make(
      named.why.code,
      `the packets are last seen ${checkpointText(last)}${way}: ${named.why.text}`,
      `${facts}; ${named.why.text}. The collected state did not tell it.`,
      'Look at what the counter belongs to.',
    )
  if (!all)
    return make(
      'packet-loss',
      `${left - arrived} of ${left} packets are lost after ${checkpointText(last)}${way}`,
      `${facts}. No counter that netwhy reads says why.`,
      'Look at the error counters of the links and at the load of the machine.',
    )
  const missing = q.probes?.sightings?.notWatched.map((n) => `${n.netns}: ${n.reason}`) ?? []
  return make(
    'prediction-refuted',
    `the packets are last seen ${checkpointText(last)}${way}, although the collected state lets them pass`,
    `${facts}. The state changed since it was collected, or something works here that netwhy does not read (eBPF, a security module, hardware).${lost.gap ? ` Not watched in between: ${missing.join('; ') || 'a netns without a way into it'}.` : ''}`,
    'Look at that place: what handles packets between those two links?',
  )
}

/** No watcher saw where: the packets are lost between nodes whose state is right. */
function unseen(q: Inquiry): StateFinding[] {
  const tries = askedTries(q)
  const nodes = [
    ...new Set(q.branches.filter((b) => b.stage === undefined).flatMap((b) => b.trace.forward.hops.map((h) => h.node))),
  ]
  if (!probeFailed(q) || nodes.length < 2 || q.branches.some((b) => b.trace.disposition !== 'delivered')) return []
  if (!tries.every((r) => (r.error === undefined || r.error === 'ETIMEDOUT') && (r.senders ?? []).length === 0))
    return []
  const [from, to] = nodes
  const watched = q.probes?.sightings?.notWatched.map((n) => `${n.netns}: ${n.reason}`) ?? []
  const why = watched.length > 0 ? ` Where they were last seen is not known (${watched.join('; ')}).` : ''
  return [
    {
      hurts: true,
      all: true,
      finding: {
        code: 'underlay-drop',
        severity: 'error',
        title: `packets leave ${from} and do not arrive at ${to}`,
        text: `Routes, rules and tunnels of the nodes are right, yet no probe is answered: something between ${nodes.join(' and ')} drops the packets (security group, anti-spoofing, switch, firewall between the nodes).${why}`,
        where: { ...(from === undefined ? {} : { node: from }) },
        evidence: tries.map(probeProof),
        remedy: {
          text: `Allow ${onTheWire(q)} between the nodes in the network outside them; a capture on both NICs shows the packet leaving and not arriving.`,
          verified: false,
        },
      },
    },
  ]
}
