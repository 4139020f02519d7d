/** The inventory for a person: decisions, layers and the path on one screen; links and owners when asked. */
import type { Decision, FactState, Inventory, Layer } from '../model/inventory.ts'
import { briefEvidence } from './brief.ts'
import { clean } from './clean.ts'
import { pathLines } from './inventory-path.ts'
import { linkLines, ownerLines, several } from './inventory-tables.ts'
import { type Style, styleFor, wrap } from './style.ts'

export interface InventoryTextOptions {
  readonly colour: boolean
  readonly wide: boolean
  /** Interfaces and how pods hang on their nodes. */
  readonly links: boolean
  /** Columns; 80 unless told. */
  readonly width?: number
}

/** Columns of a decision's title. */
const TITLE = 21

export function inventoryText(inv: Inventory, options: InventoryTextOptions): string {
  const s = styleFor(options.colour)
  const width = options.width ?? 80
  const lines = [...headLines(inv, s, width), '', s.bold('Decisions')]
  const none = inv.decisions.filter((d) => d.state === 'absent' && /^none( seen)?$/.test(d.value ?? ''))
  for (const d of inv.decisions) {
    if (!options.wide && none.includes(d)) continue
    lines.push(...decisionLines(d, s, width, options.wide))
  }
  if (!options.wide && none.length > 0)
    lines.push(...wrap(`no ${none.map((d) => d.title).join(', no ')}`, width, '  ', '    '))
  const layers = inv.layers.filter((l) => options.wide || (l.state !== 'absent' && !isHole(l)))
  const column = Math.min(24, Math.max(5, ...layers.map((l) => (l.owner ?? '').length))) + 2
  if (layers.length === 0) lines.push('', s.bold('Layers'))
  else lines.push('', `${s.bold('Layers')}${' '.repeat(TITLE - 3)}${s.dim('owner'.padEnd(column))}${s.dim('state')}`)
  for (const l of layers) lines.push(...layerLines(l, s, width, column))
  const holes = inv.layers.filter(isHole)
  if (!options.wide && holes.length > 0)
    lines.push(...wrap(`${holes.map((l) => l.title).join(', ')}: not known`, width, `${s.yellow('?')} `, '    '))
  lines.push('', s.bold('Way of a packet out of a pod') + s.dim('   ● rewritten here  ○ not  ? not known'))
  lines.push(...pathLines(inv.path, inv.nodes.filter((n) => n.collected).length, s, width))
  if (options.wide || options.links) lines.push('', ...linkLines(inv, s))
  if (options.wide) lines.push('', ...ownerLines(inv, s, width))
  const missing = inv.missing.slice(0, options.wide ? 1000 : 3)
  if (missing.length > 0) {
    lines.push('', s.bold('Not collected'))
    for (const m of missing) lines.push(...wrap(clean(m.consequence), width, '  ', '    '))
    if (inv.missing.length > missing.length)
      lines.push(`  … and ${inv.missing.length - missing.length} more with -o wide`)
  }
  return `${lines.map((l) => l.trimEnd()).join('\n')}\n`
}

function headLines(inv: Inventory, s: Style, width: number): string[] {
  const counts = [
    `${several(inv.nodes.length, 'node')} (${lookedAt(inv)})`,
    ...(inv.counts.pods === null ? [] : [several(inv.counts.pods, 'pod')]),
    ...(inv.counts.services === null ? [] : [several(inv.counts.services, 'Service')]),
    ...(inv.counts.policies === null
      ? []
      : [inv.counts.policies === 1 ? '1 policy' : `${inv.counts.policies} policies`]),
  ]
  const versions = new Map<string, string[]>()
  for (const n of inv.nodes)
    if (n.versions !== '') versions.set(n.versions, [...(versions.get(n.versions) ?? []), n.name])
  const sorted = [...versions].sort((a, b) => b[1].length - a[1].length)
  const lines = [s.bold(counts.join(', '))]
  for (const [text, nodes] of sorted.slice(0, 3))
    lines.push(...wrap(clean(sorted.length === 1 ? text : `${namesText(nodes)}: ${text}`), width, '', '  '))
  if (sorted.length > 3) lines.push(`… and ${sorted.length - 3} more sets of versions with -o json`)
  return lines
}

function lookedAt(inv: Inventory): string {
  const not = inv.nodes.filter((n) => !n.collected).map((n) => n.name)
  if (not.length === 0) return 'all looked at'
  return not.length === inv.nodes.length ? 'none looked at' : `not looked at: ${namesText(not)}`
}

function namesText(nodes: readonly string[]): string {
  return nodes.length <= 3 ? nodes.join(', ') : `${nodes.length} nodes`
}

const STATE_MARKS: Readonly<Record<FactState, string>> = { present: ' ', absent: ' ', mixed: '≠', unknown: '?' }

function rowLines(title: string, state: FactState, text: string, s: Style, width: number): string[] {
  const mark = state === 'mixed' || state === 'unknown' ? s.yellow(STATE_MARKS[state]) : STATE_MARKS[state]
  const hang = ' '.repeat(TITLE + 3)
  // Blanks inside are columns of their own: what fits is not wrapped.
  const [first = '', ...rest] = hang.length + text.length <= width ? [hang + text] : wrap(text, width, hang, hang)
  return [`${mark} ${title.padEnd(TITLE)} ${first.slice(hang.length)}`, ...rest]
}

/** ` [owner]` where the value does not say it. */
function ownerText(value: string, owner: string | null): string {
  const said = value.toLowerCase()
  return owner === null || owner.split(', ').every((o) => said.includes(o.toLowerCase())) ? '' : ` [${owner}]`
}

function decisionLines(d: Decision, s: Style, width: number, wide: boolean): string[] {
  const lines =
    d.state === 'mixed' && d.groups.length > 1
      ? groupLines(d, s, width, wide)
      : d.value === null
        ? rowLines(d.title, d.state, `unknown: ${clean(d.why ?? '')}`, s, width)
        : rowLines(d.title, d.state, clean(`${d.value}${ownerText(d.value, d.owner)}`, 600), s, width)
  const hang = ' '.repeat(TITLE + 3)
  // The head of the report says which nodes were not looked at.
  const told = d.why !== undefined && !/^[^:;]*: not collected$/.test(d.why)
  if (d.value !== null && told && (wide || d.groups.length > 0))
    lines.push(
      ...wrap(clean(d.groups.length > 0 ? `not known on ${d.why}` : (d.why ?? '')), width, hang, hang).map(s.dim),
    )
  if (wide)
    for (const e of d.evidence.slice(0, 4)) {
      const at = `${clean(e.artefact)}${e.line === undefined ? '' : `:${e.line}`}`
      lines.push(...wrap(`${at}  ${clean(briefEvidence(e.text))}`, width, hang, `${hang}  `).map(s.dim))
    }
  return lines
}

/** The largest group first, then who differs. */
function groupLines(d: Decision, s: Style, width: number, wide: boolean): string[] {
  const shown = d.groups.slice(0, wide ? 100 : 5)
  const lines = shown.flatMap((g, i) =>
    rowLines(
      i === 0 ? d.title : '',
      i === 0 ? 'mixed' : 'present',
      clean(
        `${wide ? g.nodes.join(', ') : namesText(g.nodes)}: ${g.value}${ownerText(g.value, g.owner)}`,
        wide ? 4000 : 600,
      ),
      s,
      width,
    ),
  )
  if (d.groups.length > shown.length)
    lines.push(`${' '.repeat(TITLE + 3)}… and ${d.groups.length - shown.length} more with -o wide`)
  return lines
}

/** An unknown layer that says no more than that nobody looked. */
function isHole(l: Layer): boolean {
  return l.state === 'unknown' && l.owner === null
}

function layerLines(l: Layer, s: Style, width: number, column: number): string[] {
  const owner = clean(l.owner ?? '-', 200)
  const text = clean(l.state === 'unknown' ? `unknown: ${l.text}` : l.text, 600)
  if (owner.length + 2 > column) {
    const [first = '', ...rest] = rowLines(l.title, l.state, owner, s, width)
    const hang = ' '.repeat(TITLE + 3 + column)
    return [first, ...rest, ...wrap(text, width, hang, hang)]
  }
  const hang = ' '.repeat(TITLE + 3 + column)
  const [first = '', ...rest] = wrap(text, width, hang, hang)
  return [rowLines(l.title, l.state, owner.padEnd(column) + first.slice(hang.length), s, 10_000)[0]!, ...rest]
}
