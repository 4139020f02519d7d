/**
 * One HTML file without scripts, fonts or anything from elsewhere: it can be mailed, attached to a ticket, opened years later.
 * Everything from a cluster is escaped; nothing is ever put into an attribute but our own class names.
 */

import { clean } from './clean.ts'

/** Cluster text as HTML text (HTML Standard section 13.1.4: & < > and quotes are all that can end a text or attribute). */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)
}

const STYLE = `
:root { color-scheme: light dark; --ok: #1a7f37; --bad: #cf222e; --odd: #9a6700; --dim: #6e7781; --line: #d0d7de; --card: #f6f8fa }
@media (prefers-color-scheme: dark) { :root { --ok: #3fb950; --bad: #f85149; --odd: #d29922; --dim: #8b949e; --line: #30363d; --card: #161b22 } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem } h3 { font-size: 1rem; margin: 0 0 .5rem }
code, pre, .raw { font: 13px/1.45 ui-monospace, monospace } pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--card); padding: .6rem .8rem; border-radius: 6px; margin: .4rem 0 }
.ok { color: var(--ok) } .bad { color: var(--bad) } .odd { color: var(--odd) } .dim { color: var(--dim) }
.card { border: 1px solid var(--line); border-left-width: 4px; border-radius: 6px; padding: .8rem 1rem; margin: 1rem 0 }
.card.error { border-left-color: var(--bad) } .card.warning { border-left-color: var(--odd) } .card.info { border-left-color: var(--line) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; margin: 0 } dt { color: var(--dim) } dd { margin: 0; min-width: 0; overflow-wrap: anywhere }
ol.way { list-style: none; margin: 0; padding: 0 } ol.way > li { border-left: 3px solid var(--line); padding: 0 0 .8rem 1rem; margin-left: .4rem; position: relative }
ol.way > li::before { content: ''; position: absolute; left: -8px; top: .35rem; width: 9px; height: 9px; border-radius: 50%; background: Canvas; border: 2px solid currentColor }
ol.way ul { margin: .2rem 0; padding-left: 1.1rem } ol.way li.ends { color: var(--bad); font-weight: 600 } ol.way li.open { color: var(--odd) }
table { border-collapse: collapse } td, th { border: 1px solid var(--line); padding: .25rem .6rem; text-align: left; vertical-align: top }
`

/** A whole page; `title` is text, `body` is HTML that is safe already. */
export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(clean(title))}</title><style>${STYLE}</style></head>
<body>
${body}
</body></html>
`
}
