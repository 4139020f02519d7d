import type { Manifest, ManifestArtefact } from '../snapshot/snapshot.ts'

/** Text from a node made fit for a terminal: one line, no control characters, bounded. */
const printable = (text: string) =>
  text
    .replace(/\s+/g, ' ')
    .replace(/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, '?')
    .trim()
    .slice(0, 200)

/** Most lines on what is missing. */
const MAX_LINES = 40

/** What `netwhy snapshot` prints: where, how much, and what is missing. */
export function describeSnapshot(manifest: Manifest, path: string): string {
  const reached = manifest.nodes.filter((n) => n.error === undefined)
  const entered = manifest.pods.filter((p) => p.folder !== null)
  const bytes = manifest.artefacts.reduce((sum, a) => sum + a.bytes, 0)
  const out = [
    `Wrote ${path}`,
    `${reached.length} of ${manifest.nodes.length} nodes, ${entered.length} pods, ${manifest.artefacts.length} artefacts, ${megabytes(bytes)}`,
  ]
  const missing = missingLines(manifest)
  if (missing.length > 0) {
    out.push('Missing:')
    out.push(...missing.slice(0, MAX_LINES).map((l) => `  ${l}`))
    if (missing.length > MAX_LINES) out.push(`  … and ${missing.length - MAX_LINES} more, see manifest.json`)
  }
  return `${out.join('\n')}\n`
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`

function missingLines(manifest: Manifest): string[] {
  const lines: string[] = []
  for (const n of manifest.nodes) if (n.error !== undefined) lines.push(`node ${n.name}: ${printable(n.error)}`)
  for (const p of manifest.pods)
    if (p.error !== undefined) lines.push(`pod ${printable(p.namespace)}/${printable(p.name)}: ${printable(p.error)}`)
  for (const a of manifest.artefacts) {
    const reason = failure(a)
    // Files of the machine that are not there are no loss: most nodes lack most of them.
    if (reason !== null && !/^nodes\/[^/]+\/node\//.test(a.path)) lines.push(`${printable(a.path)}: ${reason}`)
  }
  return lines
}

function failure(a: ManifestArtefact): string | null {
  if (a.truncated) return 'cut short at the size limit'
  if (a.exitCode === 0) return null
  if (a.exitCode === 127) return `${printable(a.command.split(' ')[0] ?? '')} is not installed`
  if (a.exitCode === null) return 'took too long, or was killed'
  return printable(a.stderr) || `exit code ${a.exitCode}`
}
