/** Behind a Service: one endpoint that does not answer makes one connection in N fail. */
import { formatIp } from '../../../base/ip.ts'
import type { Inquiry, StateFinding } from '../../inquiry.ts'
import { askedTries, predicted, probeProof } from '../../probes.ts'

/** `prediction-refuted`: the state says every endpoint answers, and some do not. */
export function endpointsSilent(q: Inquiry): StateFinding[] {
  const each = q.probes?.results.filter((r) => r.purpose === 'endpoint') ?? []
  const dead = each.filter((r) => r.answered === 0)
  const tries = askedTries(q)
  const failed = tries.reduce((n, r) => n + r.sent - r.answered, 0)
  if (predicted(q).length > 0 || dead.length === 0 || failed === 0) return []
  const sent = tries.reduce((n, r) => n + r.sent, 0)
  const names = dead.map((r) => `${r.target} (${formatIp(r.address)}: ${r.error ?? 'no answer'})`)
  return [
    {
      hurts: true,
      all: failed === sent,
      finding: {
        code: 'prediction-refuted',
        severity: 'error',
        title: `${dead.length} of ${each.length} endpoints do not answer: ${names.slice(0, 4).join(', ')}`,
        text: `Through the Service ${failed} of ${sent} connections fail; asked directly, ${names.join(', ')} ${dead.length === 1 ? 'does' : 'do'} not answer and the others do. The collected state gives no reason.`,
        where: {},
        evidence: [...tries, ...dead].map(probeProof),
        remedy: { text: 'Ask again with that endpoint as the destination: netwhy why … --prove.', verified: false },
      },
    },
  ]
}
