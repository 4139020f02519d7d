/** What to change so that a denied connection is allowed, in a sentence for each direction that denies it. */
import type { PolicyAnswer, PolicyDirection } from '../model/policy-answer.ts'

/** Empty when nothing is denied. */
export function policyAdvice(a: PolicyAnswer): string[] {
  if (a.decision !== 'deny') return []
  return [adviceOf('egress', a.egress, a), adviceOf('ingress', a.ingress, a)].filter((t) => t !== '')
}

function adviceOf(direction: 'egress' | 'ingress', d: PolicyDirection, a: PolicyAnswer): string {
  if (d.decision !== 'deny') return ''
  const [side, far] = direction === 'egress' ? (['to', 'destination'] as const) : (['from', 'source'] as const)
  const port = a.connections?.[0]?.port ?? a.question.port
  const wanted = port === null ? '' : ` and ${a.question.protocol.toUpperCase()} port ${port}`
  if (d.rule)
    return `Take the ${far} out of ${d.rule.rule} of ${d.rule.kind} ${d.rule.policy}, or let a rule before it allow it.`
  const near = d.considered.flatMap((p) => p.rules.map((r) => ({ p, r }))).filter(({ r }) => r.action === 'allow')
  const almost = near.find(({ r }) => r.why.length === 1)
  if (almost) {
    const { p, r } = almost
    const at = r.file === undefined ? '' : ` (${r.file}${r.line === undefined ? '' : `:${r.line}`})`
    return `Nearest is ${r.rule} of ${p.kind} ${p.policy}${at}, which misses one thing only: ${r.why[0]}.`
  }
  const policy = d.considered[0]
  const where = policy ? ` in ${policy.kind} ${policy.policy}, or a policy of its own,` : ''
  return `Add an ${direction} rule${where} with the ${far} in “${side}”${wanted} in “ports”.`
}
