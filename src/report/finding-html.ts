/** A finding as a card: code and title, what it breaks, why, proof, what to do. */
import type { Finding, ReportFinding } from '../model/finding.ts'
import { whereText } from './answer-text.ts'
import { briefEvidence } from './brief.ts'
import { clean, cleanBlock } from './clean.ts'
import { escapeHtml } from './html.ts'
import { withoutCounters } from './path-text.ts'
import { placeWords } from './remedy-text.ts'

const text = (s: string, limit = 900) => escapeHtml(clean(s, limit))

function proof(f: Finding): string {
  if (f.evidence.length === 0) return ''
  const lines = f.evidence.map(
    (e) =>
      `<div class="dim raw">${text(e.artefact)}${e.line === undefined ? '' : `:${e.line}`}</div><pre>${text(briefEvidence(withoutCounters(e.text)), 3000)}</pre>`,
  )
  return `<dt>Proof</dt><dd>${lines.join('')}</dd>`
}

function cure(f: Finding): string {
  const r = f.remedy
  if (!r) return ''
  const commands = (r.commands ?? []).map((c) => escapeHtml(cleanBlock(c))).join('\n')
  const place = r.on && commands !== '' ? `<div class="dim">${text(placeWords(r.on))}</div>` : ''
  const manifest = r.manifest ? `<pre>${escapeHtml(cleanBlock(r.manifest.trimEnd()))}</pre>` : ''
  const breaks = r.breaks ?? []
  const tried = r.verified
    ? '<div class="ok">✓ tried on the model: it cures this and breaks no other connection</div>'
    : breaks.length > 0
      ? `<div class="odd">! tried on the model: it would break ${breaks.map((b) => text(b)).join(', ')}</div>`
      : ''
  return `<dt>To do</dt><dd>${text(r.text)}${place}${commands === '' ? '' : `<pre>${commands}</pre>`}${manifest}${tried}</dd>`
}

/** `tried`: how many connections were tried, when the finding says how many it breaks. */
export function findingHtml(f: ReportFinding, tried = 0): string {
  const where = whereText(f)
  const breaks = f.breaks
    ? `<dt>Breaks</dt><dd>${f.breaks.connections} of ${tried} tried connections: ${f.breaks.examples.map((e) => text(e)).join(', ')}${f.breaks.connections > f.breaks.examples.length ? ', …' : ''}</dd>`
    : ''
  return `<section class="card ${f.severity}"><h3><code>${text(f.code)}</code>${where ? ` ${text(where)}` : ''}: ${text(f.title)}</h3>
<dl>${breaks}<dt>Why</dt><dd>${text(f.text)}</dd>${proof(f)}${cure(f)}</dl></section>`
}
