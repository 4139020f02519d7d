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
  if (d.rule)
    return `Take the ${far} out of ${d.rule.rule} of ${d.rule.kind} ${d.rule.policy}, or let a rule before it allow it.`
  for (const p of d.considered) {
    const r = p.rules.find(({ near, action }) => near && action === 'allow')
    if (!r) continue
    const at = r.file === undefined ? '' : ` (${r.file}${r.line === undefined ? '' : `:${r.line}`})`
    return `Nearest is ${r.rule} of ${p.kind} ${p.policy}${at}, which misses one thing only: ${r.why[0]}.`
  }
  const port = a.decides?.port ?? null
  const ports = port === null ? '' : ` and ${a.question.protocol.toUpperCase()} port ${port} in “ports”`
  const open = d.considered.find((p) => p.rules.length > 0)
  const where = open ? `to ${open.kind} ${open.policy}, or in` : 'in'
  return `Add an ${direction} rule ${where} a policy of its own, with the ${far} in “${side}”${ports}.`
}
