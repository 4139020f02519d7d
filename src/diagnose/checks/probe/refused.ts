/** The state says the connection works, and it is refused: who refuses, and so what is wrong. */
import { formatIp } from '../../../base/ip.ts'
import type { Finding } from '../../../model/finding.ts'
import type { Code } from '../../codes.ts'
import type { Inquiry, ProbeResult, StateFinding } from '../../inquiry.ts'
import { askedTries, predicted, probeProof } from '../../probes.ts'
import { type Refuser, refuserOf, saysHostUnreachable } from './sender.ts'
import { moveProof } from './vanished.ts'

const REFUSED = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EACCES', 'EPERM', 'ECONNECT'])

interface Cause {
  readonly code: Code
  readonly title: string
  readonly text: string
  readonly remedy: string
  readonly where: Finding['where']
}

function causeOf(q: Inquiry, r: ProbeResult, who: Refuser): Cause {
  const to = r.target
  const silent = q.probes?.silent ?? []
  const sender = r.senders?.[0]
  const nobody = sender
    ? saysHostUnreachable(sender)
    : r.error === 'EHOSTUNREACH' && who.kind === 'unknown' && silent.length > 0
  if (nobody && silent.length > 0) {
    const s = silent[0]!
    const node = s.netns.split('/')[0] ?? ''
    return {
      code: 'neighbour-unreachable',
      title: `${formatIp(s.ip)} does not answer on ${s.link} of ${node}`,
      text: `"No route to host" here means: ${s.netns} asked on ${s.link} who has ${formatIp(s.ip)}, and nobody answered. ${who.how}.`,
      remedy: 'Look at the machine that should answer, and at the link between.',
      where: { node, netns: s.netns.slice(node.length + 1), link: s.link },
    }
  }
  switch (who.kind) {
    case 'destination': {
      const rejected = sender?.kind === 'icmp' && r.kind === 'connect'
      return {
        code: rejected ? 'pod-firewall-drop' : 'not-listening',
        title: rejected
          ? `${to} rejects the connection by a rule of its own`
          : `${to} itself refuses: nothing listens there now`,
        text: `${who.how}. ${rejected ? 'The kernel answers a closed TCP port with a RST; an ICMP error is the work of a REJECT rule.' : 'The collected state has a listener there: it is gone since, or it listens for others.'}`,
        remedy: rejected ? 'Look at the rules in that network namespace.' : 'Find out why the program does not listen.',
        where: { node: who.hop.node, netns: who.hop.netns.slice(who.hop.node.length + 1) },
      }
    }
    case 'node':
      return {
        code: 'host-firewall-reject',
        title: `${who.node} rejects the connection: the refusal is not from ${to}`,
        text: `${who.how}. A REJECT rule on ${who.node} answers in place of the destination; it is not in the rules that were collected, or netwhy read them wrongly.`,
        remedy: `Look at the REJECT rules of ${who.node} and their counters.`,
        where: { node: who.node },
      }
    case 'self':
      return {
        code: 'output-drop',
        title: `the asking machine itself rejects the connection`,
        text: `${who.how}: a rule in its OUTPUT, or its own route, answers.`,
        remedy: 'Look at its rules (OUTPUT) and routes.',
        where: {},
      }
    case 'other':
    case 'unknown':
      return {
        code: 'prediction-refuted',
        title: `the connection is refused (${r.error}), although the collected state lets it pass`,
        text: `${who.how}. Either nothing listens at ${to} now, or a rule or router on the way refuses in its place.`,
        remedy: 'Find out who refuses: capture the RST or ICMP error on the way.',
        where: {},
      }
  }
}

/** `not-listening`, `host-firewall-reject`, `neighbour-unreachable`… by who sent the refusal; only where nothing else explains a failure. */
export function refusedAfterAll(q: Inquiry): StateFinding[] {
  if (predicted(q).length > 0) return []
  const refused = askedTries(q).filter((r) => r.answered < r.sent && r.error !== undefined && REFUSED.has(r.error))
  return refused.slice(0, 1).map((r) => {
    const who = refuserOf(q, r)
    const cause = causeOf(q, r, who)
    const moved = (q.probes?.moved ?? []).filter(
      (m) => m.kind === 'rule' && m.netns.startsWith(`${cause.where.node ?? ''}/`),
    )
    return {
      hurts: true,
      all: r.answered === 0,
      finding: {
        code: cause.code,
        severity: 'error',
        title: cause.title,
        text: `${cause.text}${moved[0] ? ` Rule ${moved[0].name} counted ${moved[0].by} packets during the probes.` : ''}`,
        where: cause.where,
        evidence: [probeProof(r), ...moved.slice(0, 3).map(moveProof)],
        remedy: { text: cause.remedy, verified: false },
      },
    }
  })
}
