/** The comparison as GitHub-flavoured markdown for pull requests: the verdict and DNS in sight, long lists folded. */
import type { PolicyDiff, PolicyDifference } from '../model/policy-diff.ts'
import {
  becauseText,
  cutText,
  dnsTexts,
  flowsText,
  listed,
  notesOf,
  outcomeOf,
  portsText,
  verdictText,
} from './policy-diff-words.ts'
import { markdownText } from './walk-markdown.ts'

/** Rows in sight; longer lists are folded. */
const OPEN = 10
/** Rows at all: a comment on GitHub holds 65,536 characters. */
const MOST = 150

/** Text of the cluster as markdown text: nothing in it is markup, HTML, a mention or a table's edge. */
function md(text: string): string {
  return markdownText(text.replace(/&/g, '&amp;')).replace(/@/g, '&#64;')
}

/** The whole comparison, ending in a newline. */
export function policyDiffMarkdown(d: PolicyDiff): string {
  const { lost, gained } = d.totals
  const mark = { lost: '❌', unknown: '❔', gained: '⚠️', same: '✅' }[outcomeOf(d)]
  const out = [`### ${mark} NetworkPolicy: ${verdictText(d)}`, '', `${md(d.before)} → ${md(d.after)}`]
  const dns = d.lost.filter((x) => x.dns)
  const told = dnsTexts(dns)
  for (const { text, because } of told.slice(0, OPEN))
    out.push('', `> **DNS is lost.** ${md(text)}.${because === '' ? '' : ` Because ${md(because)}.`}`)
  if (told.length > OPEN) out.push('', `> …and ${told.length - OPEN} more workloads lose DNS.`)
  if (d.flows) {
    const { cut, minutes, matched } = d.flows
    const over = minutes === null ? '' : ` (over ${Math.round(minutes * 10) / 10} minutes)`
    const rows = cut.map((c) => `- ${md(cutText(c))}`)
    if (cut.length === 0) out.push('', `None of ${matched} observed flows${over} would be cut.`)
    else out.push('', `**Observed flows${over}**`, '', ...folded(rows, 'more observed flows'))
  }
  section(out, 'Lost', d.lost, lost)
  section(out, 'Gained', d.gained, gained)
  if (d.unknown.length > 0) {
    out.push('', '**Not known**', '')
    const rows = d.unknown.map(
      (u) => `- ${md(`${u.from} → ${u.to}: ${portsText(u)}`)}${u.why[0] === undefined ? '' : ` – ${md(u.why[0])}`}`,
    )
    out.push(...folded(rows, 'more that are not known'))
  }
  if (d.appeared.length > 0) out.push('', `New workloads: ${md(listed(d.appeared, 20))}`)
  if (d.vanished.length > 0) out.push('', `Workloads that are gone: ${md(listed(d.vanished, 20))}`)
  const notes = notesOf(d)
  if (notes.length > 0) out.push('', ...notes.map((n) => `<sub>${md(n)}</sub><br>`))
  return `${out.join('\n')}\n`
}

function section(out: string[], title: string, list: readonly PolicyDifference[], total: number): void {
  if (list.length === 0) return
  const flows = list.some((d) => flowsText(d) !== '')
  const rows = list.slice(0, MOST).map((d) => {
    const cells = [d.from, d.to, portsText(d), ...(flows ? [flowsText(d)] : []), becauseText(d.because)]
    return `| ${cells.map(md).join(' | ')} |`
  })
  const head = ['from', 'to', 'ports', ...(flows ? ['seen'] : []), 'because']
  const table = [`| ${head.join(' | ')} |`, `|${head.map(() => '---|').join('')}`, ...rows]
  const more = total > rows.length ? ['', `…and ${total - rows.length} more (\`-o json\` has them all).`] : []
  out.push('')
  if (rows.length <= OPEN) out.push(`**${title}**`, '', ...table, ...more)
  else out.push('<details>', `<summary>${title}: ${total}</summary>`, '', ...table, ...more, '', '</details>')
}

function folded(rows: readonly string[], what: string): string[] {
  if (rows.length <= OPEN) return [...rows]
  const shown = rows.slice(OPEN, MOST)
  const cut = rows.length - OPEN - shown.length
  return [
    ...rows.slice(0, OPEN),
    '',
    '<details>',
    `<summary>${rows.length - OPEN} ${what}</summary>`,
    '',
    ...shown,
    ...(cut > 0 ? ['', `…and ${cut} more.`] : []),
    '',
    '</details>',
  ]
}
