/** The matrix as GitHub-flavoured markdown. */
import { DIRECTIONS, LEVELS, type Matrix, TRAFFICS } from '../model/matrix.ts'
import { whereText } from './answer-text.ts'
import { DIRECTION_TITLE, LEGEND, LEVEL_TITLE, placeText, TRAFFIC_TITLE } from './matrix-words.ts'
import { markdownText } from './walk-markdown.ts'

/** The whole matrix, ending in a newline. */
export function matrixMarkdown(m: Matrix): string {
  const out = [
    '## Traffic matrix',
    '',
    `| from | traffic | ${DIRECTIONS.map((d) => DIRECTION_TITLE[d]).join(' | ')} |`,
    `|---|---|${DIRECTIONS.map(() => '---|').join('')}`,
  ]
  for (const level of LEVELS)
    for (const traffic of TRAFFICS) {
      const places = m.places.filter((p) => p.level === level && p.traffic === traffic)
      if (places.every((p) => p.state === 'not-applicable')) continue
      out.push(`| ${LEVEL_TITLE[level]} | ${TRAFFIC_TITLE[traffic]} | ${places.map(placeText).join(' | ')} |`)
    }
  out.push('', LEGEND.join('; '))
  for (const f of m.findings) {
    const where = whereText(f)
    out.push(
      '',
      `### ${f.code}${where ? ` ${markdownText(where)}` : ''}: ${markdownText(f.title)}`,
      '',
      markdownText(f.text),
    )
    if (f.breaks)
      out.push('', `Breaks ${f.breaks.connections}: ${f.breaks.examples.map((e) => markdownText(e)).join(', ')}`)
    if (f.remedy) out.push('', `**To do:** ${markdownText(f.remedy.text)}`)
  }
  if (m.sampled.length > 0) out.push('', ...m.sampled.map((t) => `- ${markdownText(t)}`))
  return `${out.join('\n')}\n`
}
