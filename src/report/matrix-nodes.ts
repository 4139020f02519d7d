/** Which node's pods reach which node's pods: a grid while it fits, else what is common to the pairs that fail. */
import stringWidth from 'string-width'
import type { MatrixState, NodePair } from '../model/matrix.ts'
import { clean } from './clean.ts'
import { STATE_MARK } from './matrix-words.ts'
import { wrap } from './style.ts'

/** Nodes told one by one. */
const MOST_LINES = 12

const BAD: readonly MatrixState[] = ['fails', 'partial', 'unknown', 'denied']

/** Lines of at most `width` columns; none where no pair was tried. */
export function nodeLines(pairs: readonly NodePair[], width: number): string[] {
  if (pairs.length === 0) return []
  const from = [...new Set(pairs.map((p) => p.from))]
  const to = [...new Set(pairs.map((p) => p.to))]
  const label = Math.max(...from.map((n) => stringWidth(clean(n)))) + 4
  const column = Math.max(...to.map((n) => stringWidth(clean(n)))) + 2
  const head = 'From the pods of a node (rows) to the pods of a node (columns)'
  if (label + column * to.length > width || to.length > 12) return [head, ...summary(pairs, from, to, width)]
  const cell = (f: string, t: string) => {
    const pair = pairs.find((p) => p.from === f && p.to === t)
    return (pair ? STATE_MARK[pair.state] : '–').padEnd(column)
  }
  return [
    head,
    `${' '.repeat(label)}${to.map((t) => clean(t).padEnd(column)).join('')}`.trimEnd(),
    ...from.map((f) => `  ${clean(f).padEnd(label - 2)}${to.map((t) => cell(f, t)).join('')}`.trimEnd()),
  ]
}

function summary(pairs: readonly NodePair[], from: readonly string[], to: readonly string[], width: number): string[] {
  const bad = pairs.filter((p) => BAD.includes(p.state))
  const lines = [`  ${pairs.length - bad.length} of ${pairs.length} tried pairs of nodes work`]
  const between = pairs.filter((p) => p.from !== p.to)
  if (between.length > 0 && between.every((p) => BAD.includes(p.state)))
    return [
      ...lines,
      ...wrap(`${STATE_MARK[between[0]!.state]} every pair of two nodes${codes(between)}`, width, '  ', '    '),
    ]
  const told = new Set<NodePair>()
  let more = 0
  const tell = (who: string, list: readonly NodePair[]) => {
    const open = list.filter((p) => !told.has(p))
    if (list.length < 2 || open.length === 0 || !list.every((p) => BAD.includes(p.state))) return
    for (const p of open) told.add(p)
    if (lines.length > MOST_LINES) more++
    else lines.push(...wrap(`${STATE_MARK[list[0]!.state]} ${who}${codes(list)}`, width, '  ', '    '))
  }
  for (const f of from)
    tell(
      `everything from ${clean(f)}`,
      pairs.filter((p) => p.from === f && p.to !== f),
    )
  for (const t of to)
    tell(
      `everything to ${clean(t)}`,
      pairs.filter((p) => p.to === t && p.from !== t),
    )
  if (more > 0) lines.push(`  … and ${more} more nodes alike, all in -o csv`)
  const rest = bad.filter((p) => !told.has(p))
  for (const p of rest.slice(0, 20))
    lines.push(...wrap(`${STATE_MARK[p.state]} ${clean(p.from)} → ${clean(p.to)}${codes([p])}`, width, '  ', '    '))
  if (rest.length > 20) lines.push(`  … and ${rest.length - 20} more pairs, all in -o csv`)
  return lines
}

function codes(list: readonly NodePair[]): string {
  const known = [...new Set(list.flatMap((p) => p.code ?? []))]
  return known.length > 0 ? ` (${known.slice(0, 3).join(', ')})` : ''
}
