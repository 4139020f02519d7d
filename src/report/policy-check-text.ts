/** The answer of `policy check` for a person: the verdict, then each direction with who isolates, what admits, or why nothing does. */
import type { PolicyAnswer, PolicyDirection, PolicyJudged, PolicyPlace, RuleJudged } from '../model/policy-answer.ts'
import { clean } from './clean.ts'
import { policyAdvice } from './policy-check-advice.ts'
import { type Style, styleFor, wrap } from './style.ts'

const MARK = { allow: '✓', deny: '✗', unknown: '?' } as const

function painted(decision: PolicyAnswer['decision'], s: Style): (text: string) => string {
  switch (decision) {
    case 'allow':
      return s.green
    case 'deny':
      return s.red
    case 'unknown':
      return s.yellow
  }
}

/** `web to api, TCP port 8080`. */
export function questionText(a: PolicyAnswer): string {
  const { from, to, protocol, port } = a.question
  return `${clean(from)} → ${clean(to)}${port === null ? '' : ` port ${clean(String(port))}`} (${clean(protocol)})`
}

/** `policies/db.yaml:12`, empty when it came from no file. */
export function placeText(p: PolicyPlace): string {
  return p.file === undefined ? '' : `${clean(p.file)}${p.line === undefined ? '' : `:${p.line}`}`
}

/** Most rules, reasons and connections shown; the JSON has all. */
const SHOWN_RULES = 12
const SHOWN_REASONS = 4
const SHOWN_CONNECTIONS = 20

/** The whole answer, ending in a newline. */
export function policyText(a: PolicyAnswer, o: { readonly colour: boolean; readonly width?: number }): string {
  const s = styleFor(o.colour)
  const width = o.width ?? 80
  const paint = painted(a.decision, s)
  const lines = wrap(`${MARK[a.decision]} ${a.decision}: ${questionText(a)}`, width, '', '  ').map((l) =>
    s.bold(paint(l)),
  )
  for (const note of a.notes) lines.push(...wrap(clean(note, 600), width, '  ', '  '))
  if (a.connections) {
    lines.push('')
    for (const c of a.connections.slice(0, SHOWN_CONNECTIONS)) {
      const alike = c.alike === 1 ? '' : `, and ${c.alike - 1} like it`
      const port = c.port === null ? '' : ` port ${c.port}`
      const text = `${painted(c.decision, s)(MARK[c.decision])} ${clean(c.from)} → ${clean(c.to)}${port}${alike}`
      lines.push(...wrap(text, width, '  ', '    '))
    }
    const more = a.connections.length - SHOWN_CONNECTIONS
    if (more > 0) lines.push(`  and ${more} more; -o json has all`)
  }
  lines.push(...directionLines('Egress', a.egress, s, width), ...directionLines('Ingress', a.ingress, s, width))
  const advice = policyAdvice(a)
  if (advice.length > 0) {
    lines.push('', s.bold('What to change'))
    for (const text of advice) lines.push(...wrap(clean(text, 600), width, '  ', '  '))
  }
  return `${lines.join('\n')}\n`
}

function directionLines(title: string, d: PolicyDirection, s: Style, width: number): string[] {
  const head = `${painted(d.decision, s)(MARK[d.decision])} ${title}: ${clean(d.reason.text, 600)}`
  const lines = ['', ...wrap(head, width, '', '    ')]
  if (d.rule) {
    const by = `${clean(d.rule.kind)} ${clean(d.rule.policy)}, ${clean(d.rule.rule)}`
    lines.push(...wrap(by, width, '    ', '      '), ...placeLine(d.rule, s))
  }
  for (const note of d.dependsOnPlugin)
    lines.push(...wrap(`Depends on the network plugin: ${clean(note, 400)}`, width, '    ', '      '))
  if (d.decision === 'allow') return lines
  for (const policy of d.considered) lines.push(...policyLines(policy, s, width))
  return lines
}

const placeLine = (p: PolicyPlace, s: Style) => (placeText(p) === '' ? [] : [s.dim(`      ${placeText(p)}`)])

function policyLines(p: PolicyJudged, s: Style, width: number): string[] {
  const what = p.selects === 'yes' ? '' : ' (may be about this pod: not known)'
  const none = p.rules.length === 0 ? ' allows nothing' : ''
  const lines = wrap(`${clean(p.kind)} ${clean(p.policy)}${none}${what}`, width, '    ', '      ')
  lines.push(...placeLine(p, s))
  for (const r of p.rules.slice(0, SHOWN_RULES)) lines.push(...ruleLines(r, s, width))
  if (p.rules.length > SHOWN_RULES) lines.push(`      and ${p.rules.length - SHOWN_RULES} more rules; -o json has all`)
  return lines
}

function ruleLines(r: RuleJudged, s: Style, width: number): string[] {
  const mark = r.matches === 'yes' ? '✓' : r.matches === 'no' ? '✗' : '?'
  const line = r.line === undefined ? '' : s.dim(` (line ${r.line})`)
  const action = r.action === 'allow' ? '' : ` ${r.action}`
  const lines = [`      ${mark} ${clean(r.rule)}${action}${line}`]
  for (const why of r.why.slice(0, SHOWN_REASONS)) lines.push(...wrap(clean(why, 400), width, '        ', '          '))
  if (r.why.length > SHOWN_REASONS) lines.push(`        and ${r.why.length - SHOWN_REASONS} more reasons`)
  return lines
}
