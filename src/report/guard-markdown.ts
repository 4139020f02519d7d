/** Expectations as markdown: for a comment on a pull request. */
import type { GuardReport, GuardResult } from '../model/guard.ts'
import { clean } from './clean.ts'
import { connectionText, connectionWhy, placeText, summaryText, whyPromised } from './guard-text.ts'

/** Nothing in it is markup: no emphasis, link, table cell, mention or HTML. */
const plain = (text: string) => clean(text).replace(/[\\`*_[\]{}()<>#|!~&@$]/g, (c) => `&#${c.charCodeAt(0)};`)

/** Code that may hold backticks. */
const code = (text: string) => {
  const body = clean(text)
  const fence = '`'.repeat(Math.max(0, ...[...body.matchAll(/`+/g)].map((m) => m[0].length)) + 1)
  const pad = body.startsWith('`') || body.endsWith('`') ? ' ' : ''
  return `${fence}${pad}${body}${pad}${fence}`
}

const MARKS = { holds: '✓ holds', broken: '✗ broken', unknown: '? unknown' } as const

function details(r: GuardResult): string[] {
  const why = whyPromised(r)
  return [
    `### ${MARKS[r.state]}: ${plain(r.name)}`,
    `${plain(r.reason)}. ${r.severity === 'warning' ? 'Warning. ' : ''}${why === '' ? '' : `Promised because: ${plain(why)}. `}${code(placeText(r.place))}`,
    ...(r.examples.length === 0
      ? []
      : [
          r.examples
            .map(
              (c) =>
                `- ${code(connectionText(c))} ${plain(connectionWhy(c))}${c.place ? `, ${code(placeText(c.place))}` : ''}`,
            )
            .join('\n') + (r.against > r.examples.length ? `\n- … and ${r.against - r.examples.length} more` : ''),
        ]),
    ...r.notes.map((n) => `Note: ${plain(n)}`),
  ]
}

/** What does not hold with its reasons, then what holds as a list. */
export function guardMarkdown(report: GuardReport): string {
  const bad = [
    ...report.results.filter((r) => r.state === 'broken'),
    ...report.results.filter((r) => r.state === 'unknown'),
  ]
  const good = report.results.filter((r) => r.state === 'holds')
  const list = good.map((r) => `- ${plain(r.name)} (${plain(r.reason)})${r.notes.map((n) => `; ${plain(n)}`).join('')}`)
  return `${[
    '## netwhy guard',
    plain(summaryText(report)),
    ...bad.flatMap(details),
    ...(good.length === 0
      ? []
      : [`<details><summary>${good.length} hold</summary>\n\n${list.join('\n')}\n\n</details>`]),
  ].join('\n\n')}\n`
}
