/** Expectations as text: one line for what holds, the reasons for what does not. */
import type { GuardConnection, GuardPlace, GuardReport, GuardResult, GuardState } from '../model/guard.ts'
import { clean } from './clean.ts'
import { type Style, wrap } from './style.ts'

const MARKS: Record<GuardState, string> = { holds: '✓', broken: '✗', unknown: '?' }

/** `FILE:LINE`. */
export const placeText = ({ file, line }: GuardPlace): string =>
  line === undefined ? clean(file) : `${clean(file)}:${line}`

/** `because` and owner, in one phrase; empty when the file gives neither. */
export function whyPromised(r: GuardResult): string {
  const parts = [...(r.because === null ? [] : [r.because]), ...(r.owner === null ? [] : [`owner ${r.owner}`])]
  return parts.map((p) => clean(p)).join('; ')
}

/** `pod/a → pod/b:80 tcp`. */
export const connectionText = (c: GuardConnection): string => `${clean(c.from)} → ${clean(c.to)} ${clean(c.protocol)}`

/** What the connection does and why, in one sentence. */
export function connectionWhy(c: GuardConnection): string {
  const does = {
    allowed: 'allowed',
    denied: 'denied',
    reaches: 'comes through',
    partly: 'comes through sometimes',
    blocked: 'does not come through',
    unknown: 'unknown',
  }[c.outcome]
  const code = c.code === undefined ? '' : `${c.code}: `
  const rule = c.rule === undefined ? '' : ` (${clean(c.rule)})`
  return `${does}: ${code}${clean(c.why)}${rule}`
}

/** Connections with the same cause together. */
function byCause(examples: readonly GuardConnection[]): GuardConnection[][] {
  const groups = new Map<string, GuardConnection[]>()
  for (const c of examples) {
    const key = `${connectionWhy(c)} ${c.place ? placeText(c.place) : ''}`
    const group = groups.get(key)
    if (group) group.push(c)
    else groups.set(key, [c])
  }
  return [...groups.values()]
}

/** The lines of one expectation; `told` stands behind its name instead of the reason. */
export function resultLines(r: GuardResult, s: Style, width: number, wide: boolean, told?: string): string[] {
  const paint = { holds: s.green, broken: r.severity === 'error' ? s.red : s.yellow, unknown: s.yellow }[r.state]
  const level = r.state === 'broken' && r.severity === 'warning' ? 'warning: ' : ''
  const [first = '', ...more] = wrap(`${level}${clean(r.name)}: ${clean(told ?? r.reason)}`, width - 2, '', '  ')
  const lines = [`${paint(MARKS[r.state])} ${r.state === 'holds' ? first : s.bold(first)}`, ...more]
  const detailed = r.state !== 'holds' || wide
  const say = (t: string) => lines.push(...wrap(t, width, '  ', '  '))
  if (told !== undefined && r.state !== 'holds') say(clean(r.reason))
  if (detailed) {
    for (const alike of byCause(r.examples)) {
      const [c] = alike
      if (!c) continue
      for (const each of alike) lines.push(...wrap(connectionText(each), width, '    ', '      '))
      lines.push(...wrap(connectionWhy(c), width, '      ', '      '))
      if (c.place) lines.push(`      ${s.dim(placeText(c.place))}`)
    }
    if (r.against > r.examples.length && r.examples.length > 0) say(`  … and ${r.against - r.examples.length} more`)
  }
  // What qualifies a promise that holds must be seen too.
  for (const n of r.notes) say(`note: ${clean(n)}`)
  if (!detailed) return lines
  const why = whyPromised(r)
  if (why !== '') say(`promised because: ${why}`)
  lines.push(`  ${s.dim(placeText(r.place))}`)
  return lines
}

/** How many hold, are broken and unknown, and how it was judged. */
export function summaryText({ results, judgedBy }: GuardReport): string {
  const count = (state: GuardState) => results.filter((r) => r.state === state).length
  const parts = [
    `${count('holds')} hold${count('holds') === 1 ? 's' : ''}`,
    ...(count('broken') > 0 ? [`${count('broken')} broken`] : []),
    ...(count('unknown') > 0 ? [`${count('unknown')} unknown`] : []),
  ]
  const how = judgedBy === 'policies' ? 'judged by the policies' : 'judged by following connections through the nodes'
  return `${results.length} expectation${results.length === 1 ? '' : 's'}: ${parts.join(', ')}; ${how}`
}

export const summaryLine = (report: GuardReport, width: number): string[] => wrap(summaryText(report), width, '', '')
