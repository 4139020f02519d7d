import type { Matrix } from '../model/matrix.ts'
import { clean } from './clean.ts'

const COLUMNS = [
  'traffic',
  'direction',
  'level',
  'from',
  'to',
  'protocol',
  'state',
  'probability',
  'code',
  'reason',
] as const

/** One field (RFC 4180). Cluster text that a spreadsheet would take for a formula gets an apostrophe before it. */
function field(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'number') return String(Math.round(value * 1e6) / 1e6)
  const text = clean(value, 1000)
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** Every cell as a line, a heading first; lines end in a newline. */
export function matrixCsv(m: Matrix): string {
  const lines = m.cells.map((c) => COLUMNS.map((name) => field(c[name])).join(','))
  return `${[COLUMNS.join(','), ...lines].join('\n')}\n`
}
