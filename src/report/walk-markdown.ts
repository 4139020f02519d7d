/** The checklist as GitHub-flavoured markdown, for tickets. */
import type { Walk } from '../model/walk.ts'
import { whereText } from './answer-text.ts'
import { clean } from './clean.ts'
import { STEP_MARK } from './walk-text.ts'

/** Keeps cluster text from becoming markup (CommonMark section 2.4 backslash escapes). */
export function markdownText(text: string): string {
  return clean(text, 900).replace(/[\\`*_{}[\]<>#!|~]/g, (c) => `\\${c}`)
}

/** The whole checklist, ending in a newline. */
export function walkMarkdown(w: Walk): string {
  const q = w.question
  const out = [
    `## ${w.verdict}: ${markdownText(q.from)} → ${markdownText(q.to)}${q.port === null ? '' : ` port ${q.port}`} (${q.protocol})`,
    '',
    '| # | | step | what was seen | evidence |',
    '|---|---|---|---|---|',
  ]
  for (const s of w.steps) {
    const proof = s.evidence[0]
    const at = proof ? `${proof.artefact}${proof.line === undefined ? '' : `:${proof.line}`}` : ''
    const code = s.finding === undefined ? '' : `**${s.finding}** `
    out.push(
      `| ${s.number} | ${STEP_MARK[s.state]} | ${markdownText(s.title)} | ${code}${markdownText(s.text)} | ${markdownText(at)} |`,
    )
  }
  for (const f of w.findings) {
    const where = whereText(f)
    out.push(
      '',
      `### ${f.code}${where ? ` ${markdownText(where)}` : ''}: ${markdownText(f.title)}`,
      '',
      markdownText(f.text),
    )
    if (f.remedy) out.push('', `**To do:** ${markdownText(f.remedy.text)}`)
  }
  return `${out.join('\n')}\n`
}
