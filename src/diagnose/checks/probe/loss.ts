import type { Inquiry, StateFinding } from '../../inquiry.ts'
import { lossyEchoes, predicted, probeFailed, probeProof } from '../../probes.ts'
import { lostBetween } from './last-seen.ts'
import { whereLost } from './vanished.ts'

/** `packet-loss`: some echoes are answered and some are not, where the state knows of no reason. */
export function someProbesLost(q: Inquiry): StateFinding[] {
  const lossy = lossyEchoes(q)
  if (!lossy || predicted(q).length > 0 || probeFailed(q)) return []
  const seen = lostBetween(q) ? whereLost(q)[0]?.finding : undefined
  const title = `${lossy.sent - lossy.answered} of ${lossy.sent} echoes to ${lossy.target} are lost`
  if (seen)
    return [
      {
        hurts: true,
        finding: { ...seen, title: `${title}: ${seen.title}`, evidence: [probeProof(lossy), ...seen.evidence] },
      },
    ]
  return [
    {
      hurts: true,
      finding: {
        code: 'packet-loss',
        severity: 'error',
        title,
        text: 'Nothing in the state of the nodes explains it: packets are lost between them (cable, NIC, switch) or by an overloaded machine. TCP repeats lost packets after 1, 3 and 7 s.',
        where: {},
        evidence: [probeProof(lossy)],
        remedy: {
          text: 'Look at the error counters of the NICs and switch ports of the path (ip -s link, ethtool -S).',
          verified: false,
        },
      },
    },
  ]
}
