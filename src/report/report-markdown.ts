/** The Report as GitHub-flavoured markdown, for tickets. */
import type { Report } from '../model/finding.ts'
import { findingMarkdown, plain } from './answer-markdown.ts'

/** The whole report, ending in a newline. */
export function reportMarkdown(r: Report): string {
  const { verdicts, because, tried } = r
  const out = [
    '## netwhy doctor',
    [
      '| | verdict | because |',
      '|---|---|---|',
      `| Host network | ${verdicts.hostNetwork} | ${plain(because.hostNetwork)} |`,
      `| Container network | ${verdicts.containerNetwork} | ${plain(because.containerNetwork)} |`,
      `| Set-up | ${plain(verdicts.setupState)} | ${plain(because.setupState)} |`,
    ].join('\n'),
    `${tried.delivered} of ${tried.connections} connections tried on the model get through.`,
  ]
  for (const f of r.findings) {
    out.push(...findingMarkdown(f))
    if (f.breaks)
      out.push(
        `**Breaks** ${f.breaks.connections} of ${tried.connections} tried connections: ${f.breaks.examples.map((e) => plain(e)).join(', ')}`,
      )
  }
  if (r.missing.length > 0)
    out.push('### Not known', r.missing.map((m) => `- ${plain(m.artefact)}: ${plain(m.consequence)}`).join('\n'))
  return `${out.join('\n\n')}\n`
}
