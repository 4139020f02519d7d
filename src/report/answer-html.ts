/** The Answer as one HTML file: verdict, findings, every branch's way hop by hop with the evidence of each step. */
import type { Answer } from '../model/finding.ts'
import type { ConnectionTrace, PacketTrace, Step } from '../model/trace.ts'
import { percent } from './answer-text.ts'
import { clean } from './clean.ts'
import { findingHtml } from './finding-html.ts'
import { escapeHtml, page } from './html.ts'
import { netnsName, packetText } from './packet-text.ts'

const text = (s: string, limit = 900) => escapeHtml(clean(s, limit))
const PAINT = { reachable: 'ok', unreachable: 'bad', partial: 'odd', unknown: 'odd' } as const
const MARK = { reachable: '✓', unreachable: '✗', partial: '◐', unknown: '?' } as const
/** Branches shown in full. */
const MOST = 40

function stepHtml(s: Step, before: Step | undefined): string {
  const ends = s.verdict === 'drop' || s.verdict === 'reject'
  const rewritten = before && packetText(before.packet) !== packetText(s.packet)
  const proof = s.evidence
    .slice(0, 20)
    .map((e) => `${e.artefact}${e.line === undefined ? '' : `:${e.line}`}\n  ${clean(e.text, 1000)}`)
  const details =
    proof.length > 0
      ? `<details><summary class="dim">evidence</summary><pre>${escapeHtml(proof.join('\n'))}</pre></details>`
      : ''
  const kind = s.kind === 'netfilter' && s.hook ? s.hook : s.kind
  const said = s.text.startsWith(`${kind}: `) ? s.text.slice(kind.length + 2) : s.text
  return `<li class="${ends ? 'ends' : s.verdict === 'unknown' ? 'open' : 'step'}"><b>${text(kind)}</b> ${text(said)}${rewritten ? ` <code>${text(packetText(s.packet))}</code>` : ''}${details}</li>`
}

function wayHtml(title: string, trace: PacketTrace | undefined | null): string {
  if (!trace || trace.hops.length === 0) return ''
  let before: Step | undefined
  const hops = trace.hops.map((h) => {
    const steps = h.steps.map((s) => {
      const line = stepHtml(s, before)
      before = s
      return line
    })
    const name = netnsName(h)
    const place =
      name === 'host' ? h.node : `${name.replace(/^pod\//, 'pod ')}${h.node === '' ? '' : ` (on ${h.node})`}`
    return `<li><b>${text(place)}</b><ul>${steps.join('')}</ul></li>`
  })
  return `<h3>${title}</h3><ol class="way">${hops.join('')}</ol>`
}

const good = (b: ConnectionTrace) => Number(b.disposition === 'delivered')

function branchHtml(b: ConnectionTrace): string {
  return `<h2 class="${good(b) ? 'ok' : 'bad'}">${percent(b.probability)}: ${text(b.disposition)}</h2>${wayHtml('Request', b.forward)}${wayHtml('Reply', b.reply)}`
}

/** The whole answer, a page by itself. */
export function answerHtml(a: Answer): string {
  const q = a.question
  const asked = `${q.from} → ${q.to}${q.port === null ? '' : ` port ${q.port}`} (${q.protocol})`
  const share =
    a.verdict === 'partial' && a.successProbability !== null
      ? `, ${percent(a.successProbability)} of connections succeed`
      : ''
  const proof = a.proof ? `<p>${text(a.proof.text)}</p>` : ''
  const missing =
    a.missing.length > 0
      ? `<h2>Not known</h2><ul>${a.missing.map((m) => `<li><code>${text(m.artefact)}</code>: ${text(m.consequence)}</li>`).join('')}</ul>`
      : ''
  const more =
    a.branches.length > MOST ? `<p class="dim">${a.branches.length - MOST} more branches are left out.</p>` : ''
  return page(
    `${a.verdict}: ${asked}`,
    `<h1><span class="${PAINT[a.verdict]}">${MARK[a.verdict]} ${a.verdict}</span>: ${text(asked)}${share}</h1>${proof}
${a.findings.map((f) => findingHtml(f)).join('\n')}
${[...a.branches]
  .sort((x, y) => good(x) - good(y) || y.probability - x.probability)
  .slice(0, MOST)
  .map(branchHtml)
  .join('\n')}${more}${missing}`,
  )
}
