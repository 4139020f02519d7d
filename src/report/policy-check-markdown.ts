/** The answer of `policy check` as markdown, for issues and pull requests. */
import type { PolicyAnswer, PolicyDirection } from '../model/policy-answer.ts'
import { clean } from './clean.ts'
import { policyAdvice } from './policy-check-advice.ts'
import { placeText, questionText } from './policy-check-text.ts'

const code = (text: string) => (text === '' ? '' : ` \`${clean(text, 400).replaceAll('`', "'")}\``)
const plain = (text: string) => clean(text, 600).replace(/[\\`*_{}[\]<>#|]/g, '\\$&')

/** The whole answer, ending in a newline. */
export function policyMarkdown(a: PolicyAnswer): string {
  const lines = [`**${a.decision}**: ${plain(questionText(a))}`, '']
  for (const note of a.notes) lines.push(`${plain(note)}  `)
  if (a.connections) {
    lines.push('', '| from | to | port | decision | alike |', '|---|---|---|---|---|')
    for (const c of a.connections)
      lines.push(`| ${plain(c.from)} | ${plain(c.to)} | ${c.port ?? ''} | ${c.decision} | ${c.alike} |`)
    lines.push('')
  }
  lines.push(...directionLines('Egress', a.egress), ...directionLines('Ingress', a.ingress))
  const advice = policyAdvice(a)
  if (advice.length > 0) lines.push('', '**What to change**', '', ...advice.map((t) => `- ${plain(t)}`))
  return `${lines.join('\n')}\n`
}

function directionLines(title: string, d: PolicyDirection): string[] {
  const lines = [`- **${title}: ${d.decision}**. ${plain(d.reason.text)}`]
  if (d.rule) lines.push(`  - ${plain(`${d.rule.kind} ${d.rule.policy}, ${d.rule.rule}`)}${code(placeText(d.rule))}`)
  for (const note of d.dependsOnPlugin) lines.push(`  - depends on the network plugin: ${plain(note)}`)
  if (d.decision === 'allow') return lines
  for (const p of d.considered) {
    lines.push(
      `  - ${plain(`${p.kind} ${p.policy}`)}${code(placeText(p))}${p.rules.length === 0 ? ' allows nothing' : ''}`,
    )
    for (const r of p.rules)
      lines.push(
        `    - ${plain(r.rule)}${r.line === undefined ? '' : ` (line ${r.line})`}: ${r.why.map(plain).join('; ') || r.matches}`,
      )
  }
  return lines
}
