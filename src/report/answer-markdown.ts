/** The Answer as GitHub-flavoured markdown, for tickets and pull requests. */
import type { Answer, Finding, Remedy } from '../model/finding.ts'
import { percent, whereText } from './answer-text.ts'
import { clean } from './clean.ts'
import { branchLines } from './path-text.ts'
import { placeWords } from './remedy-text.ts'
import { styleFor } from './style.ts'

/** Keeps cluster text from becoming markup (CommonMark section 2.4 backslash escapes). */
export function plain(text: string, limit = 900): string {
  return clean(text, limit).replace(/[\\`*_{}[\]<>()#+!|~-]/g, (c) => (/[-().+]/.test(c) ? c : `\\${c}`))
}

/** A fenced block whose fence is longer than any run of backticks inside. */
export function fenced(lines: readonly string[]): string {
  const body = lines.join('\n')
  const longest = Math.max(2, ...[...body.matchAll(/`+/g)].map((m) => m[0].length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}text\n${body}\n${fence}`
}

function trialWords(r: Remedy): string {
  if (r.verified) return ' (tried on the model: fixes this, breaks nothing)'
  return r.breaks ? ` (tried on the model: it would break ${plain(r.breaks.join(', '))})` : ''
}

/** A finding as blocks of markdown: heading, text, proof, what to do. */
export function findingMarkdown(f: Finding): string[] {
  const where = whereText(f)
  const out = [`### ${f.code}${where ? ` ${plain(where)}` : ''}: ${plain(f.title)}`, plain(f.text)]
  if (f.evidence.length > 0)
    out.push(
      fenced(
        f.evidence.map((e) => `${clean(e.artefact)}${e.line === undefined ? '' : `:${e.line}`}  ${clean(e.text)}`),
      ),
    )
  if (!f.remedy) return out
  out.push(
    `**To do:** ${plain(f.remedy.text)}${trialWords(f.remedy)}${f.remedy.commands && f.remedy.on ? ` ${placeWords(f.remedy.on)}` : ''}`,
  )
  const commands = [...(f.remedy.commands ?? []), ...(f.remedy.manifest ? [f.remedy.manifest.trimEnd()] : [])]
  if (commands.length > 0)
    out.push(
      fenced(
        commands.map((c) =>
          c
            .split('\n')
            .map((l) => clean(l))
            .join('\n'),
        ),
      ),
    )
  return out
}

/** The whole answer, ending in a newline. */
export function answerMarkdown(a: Answer): string {
  const q = a.question
  const out = [`## ${a.verdict}: ${plain(q.from)} → ${plain(q.to)} (${plain(q.protocol)})`]
  if (a.verdict === 'partial' && a.successProbability !== null)
    out.push(`${percent(a.successProbability)} of connections succeed.`)
  if (a.proof) out.push(`Packets: ${a.proof.outcome}. ${plain(a.proof.text)}`)
  for (const f of a.findings) out.push(...findingMarkdown(f))
  const options = { style: styleFor(false), width: 100, wide: false }
  for (const b of a.branches)
    out.push(`### Path, ${percent(b.probability)}: ${b.disposition}`, fenced(branchLines(b, options)))
  if (a.missing.length > 0)
    out.push('### Not known', a.missing.map((m) => `- ${plain(m.artefact)}: ${plain(m.consequence)}`).join('\n'))
  return `${out.join('\n\n')}\n`
}
