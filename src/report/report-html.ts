/** The Report as one HTML file: the verdict lines, then each finding with what it breaks. */
import type { NetworkState, Report } from '../model/finding.ts'
import { clean } from './clean.ts'
import { findingHtml } from './finding-html.ts'
import { escapeHtml, page } from './html.ts'

const text = (s: string) => escapeHtml(clean(s, 900))
const PAINT: Record<NetworkState, string> = { ok: 'ok', 'not-ready': 'odd', failing: 'bad', unknown: 'odd' }
const MARK: Record<NetworkState, string> = { ok: '✓', 'not-ready': '◐', failing: '✗', unknown: '?' }

/** The whole report, a page by itself. */
export function reportHtml(r: Report): string {
  const row = (name: string, state: NetworkState, because: string) =>
    `<tr><th>${name}</th><td class="${PAINT[state]}">${MARK[state]} ${state}</td><td>${text(because)}</td></tr>`
  const { verdicts, because, tried } = r
  const missing =
    r.missing.length > 0
      ? `<h2>Not known</h2><ul>${r.missing.map((m) => `<li><code>${text(m.artefact)}</code>: ${text(m.consequence)}</li>`).join('')}</ul>`
      : ''
  return page(
    'netwhy doctor',
    `<h1>netwhy doctor</h1>
<table>${row('Host network', verdicts.hostNetwork, because.hostNetwork)}${row('Container network', verdicts.containerNetwork, because.containerNetwork)}
<tr><th>Set-up</th><td>${text(verdicts.setupState)}</td><td>${text(because.setupState)}</td></tr></table>
<p>${tried.delivered} of ${tried.connections} connections tried on the model get through.</p>
${r.findings.length === 0 ? '<p class="ok">No findings.</p>' : r.findings.map((f) => findingHtml(f, tried.connections)).join('\n')}${missing}`,
  )
}
