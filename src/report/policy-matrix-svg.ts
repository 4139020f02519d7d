/** The matrix as a picture: rows reach columns, a colour for each set of ports, the ports as the tooltip of a square. */
import stringWidth from 'string-width'
import type { PolicyMatrixView } from '../model/policy-matrix.ts'
import { clean } from './clean.ts'
import { gridOf, portsText } from './policy-matrix-grid.ts'

const CELL = 18
const CHAR = 7
const LINE = 18
/** Colours that also people who see red and green alike tell apart (Okabe and Ito), then greys. */
const COLOURS = ['#0072b2', '#e69f00', '#56b4e9', '#cc79a7', '#d55e00', '#f0e442', '#7f7f7f'] as const
const EVERY = '#009e73'
const NAME = 60

/** A self-contained document without scripts. */
export function* policyMatrixSvg(view: PolicyMatrixView): Generator<string> {
  const grid = gridOf(view)
  const names = grid.names.map((n) => clean(n, NAME))
  const longest = Math.max(8, ...names.map((n) => stringWidth(n)))
  const left = longest * CHAR + 16
  const top = Math.round(longest * CHAR * 0.71) + 24
  const marks = new Map<string, { readonly letter: string; readonly colour: string }>()
  const body: string[] = []
  let unsure = false
  for (const [r, source] of grid.sources.entries()) {
    const cells = grid.row(source)
    const y = top + r * CELL
    body.push(text(left - 8, y + 13, names[source]!, 'end'))
    for (const [c, target] of grid.targets.entries()) {
      const cell = cells[target]
      const x = left + c * CELL
      if (!cell) continue
      const title = `${names[source]} → ${names[target]}: ${cell.ports.length > 0 ? portsText(cell.ports) : cell.unsure ? 'not known' : 'nothing'}`
      const drawn =
        cell.ports.length > 0 ? markOf(portsText(cell.ports)) : cell.unsure ? UNSURE : { letter: '', colour: '#f4f4f4' }
      unsure ||= drawn === UNSURE
      body.push(
        `<g><title>${xml(clean(title, 400))}</title><rect x="${x}" y="${y}" width="${CELL - 2}" height="${CELL - 2}" rx="2" fill="${drawn.colour}"/>${drawn.letter === '' ? '' : `<text x="${x + CELL / 2 - 1}" y="${y + 12}" text-anchor="middle" fill="${drawn.colour === '#f0e442' || drawn.colour === UNSURE.colour ? '#222' : '#fff'}">${drawn.letter}</text>`}</g>`,
      )
    }
  }
  for (const [c, target] of grid.targets.entries()) {
    const x = left + c * CELL + CELL / 2
    body.push(`<text x="${x}" y="${top - 8}" transform="rotate(-45 ${x} ${top - 8})">${xml(names[target]!)}</text>`)
  }
  const under = top + grid.sources.length * CELL + 16
  const legend = [...marks].slice(0, 40).map(([ports, { letter, colour }]) => ({ ports, letter, colour }))
  if (unsure) legend.push({ ports: 'not known', ...UNSURE })
  for (const [i, { ports, letter, colour }] of legend.entries()) {
    const y = under + i * LINE
    body.push(
      `<rect x="16" y="${y}" width="14" height="14" rx="2" fill="${colour}"/>`,
      text(36, y + 11, `${letter === '' ? '' : `${letter}  `}${clean(ports, 90)}`, 'start'),
    )
  }
  const right = Math.round(longest * CHAR * 0.71)
  const width = Math.max(left + grid.targets.length * CELL + right, 720)
  const height = under + Math.max(1, legend.length) * LINE + 16
  yield `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="11">\n`
  yield `<title>Connections that policies allow: rows reach columns</title>\n<rect width="100%" height="100%" fill="#fff"/>\n`
  for (let i = 0; i < body.length; i += 500) yield `${body.slice(i, i + 500).join('\n')}\n`
  yield '</svg>\n'

  function markOf(ports: string): { readonly letter: string; readonly colour: string } {
    const known = marks.get(ports)
    if (known) return known
    const n = marks.has('every port') ? marks.size - 1 : marks.size
    const mark =
      ports === 'every port'
        ? { letter: '', colour: EVERY }
        : { letter: n < 26 ? String.fromCharCode(97 + n) : '+', colour: COLOURS[Math.min(n, COLOURS.length - 1)]! }
    marks.set(ports, mark)
    return mark
  }
}

const UNSURE = { letter: '?', colour: '#dddddd' } as const

const text = (x: number, y: number, words: string, anchor: 'start' | 'end') =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}">${xml(words)}</text>`

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const xml = (words: string) => words.replace(/[&<>"']/g, (c) => ENTITIES[c]!)
