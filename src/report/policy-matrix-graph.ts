/** The matrix as a graph for Graphviz and for Mermaid. Names are hostile: everything but plain characters is escaped. */
import type { PolicyMatrixView } from '../model/policy-matrix.ts'
import { type Grid, gridOf, portsText } from './policy-matrix-grid.ts'

/** `dot -Tsvg` draws it; namespaces are clusters. */
export function* policyMatrixDot(view: PolicyMatrixView): Generator<string> {
  const grid = gridOf(view)
  yield 'digraph policies {\n  rankdir=LR;\n  node [shape=box, fontname="sans-serif"];\n  edge [fontname="sans-serif", fontsize=10];\n'
  for (const [namespace, nodes] of byNamespace(grid)) {
    const drawn = nodes.map(
      (n) => `n${n} [label=${dotText(grid.names[n]!)}${grid.outside[n] ? ', shape=ellipse' : ''}];`,
    )
    if (namespace === '') yield drawn.map((d) => `  ${d}\n`).join('')
    else
      yield `  subgraph ${dotText(`cluster_${namespace}`)} {\n    label=${dotText(namespace)};\n${drawn.map((d) => `    ${d}\n`).join('')}  }\n`
  }
  yield* edges(
    grid,
    (from, to, ports) => `  n${from} -> n${to} [label=${dotText(ports)}];\n`,
    (from, to) => `  n${from} -> n${to} [label="?", style=dashed];\n`,
  )
  yield '}\n'
}

/** A Mermaid flowchart, as GitHub draws it in markdown. */
export function* policyMatrixMermaid(view: PolicyMatrixView): Generator<string> {
  const grid = gridOf(view)
  yield 'flowchart LR\n'
  let k = 0
  for (const [namespace, nodes] of byNamespace(grid)) {
    const drawn = nodes.map((n) => {
      const text = mermaidText(grid.names[n]!)
      return grid.outside[n] ? `n${n}(["${text}"])` : `n${n}["${text}"]`
    })
    if (namespace === '') yield drawn.map((d) => `  ${d}\n`).join('')
    else yield `  subgraph s${k++}["${mermaidText(namespace)}"]\n${drawn.map((d) => `    ${d}\n`).join('')}  end\n`
  }
  yield* edges(
    grid,
    (from, to, ports) => `  n${from} -->|"${mermaidText(ports)}"| n${to}\n`,
    (from, to) => `  n${from} -.->|"?"| n${to}\n`,
  )
}

function byNamespace(grid: Grid): Map<string, number[]> {
  const out = new Map<string, number[]>()
  const used = new Set([...grid.sources, ...grid.targets])
  for (const n of [...used].sort((x, y) => x - y)) {
    const list = out.get(grid.namespaces[n]!)
    if (list) list.push(n)
    else out.set(grid.namespaces[n]!, [n])
  }
  return out
}

function* edges(
  grid: Grid,
  allowed: (from: number, to: number, ports: string) => string,
  unsure: (from: number, to: number) => string,
): Generator<string> {
  for (const from of grid.sources) {
    let text = ''
    for (const [to, cell] of grid.row(from).entries()) {
      if (!cell) continue
      if (cell.ports.length > 0) text += allowed(from, to, portsText(cell.ports))
      if (cell.unsure) text += unsure(from, to)
    }
    yield text
  }
}

/** A quoted string of the DOT language: only the quote and the backslash mean something in it. */
const dotText = (text: string) => `"${text.replace(/[\\"]/g, '\\$&')}"`

/** Mermaid reads entity codes: `#35;` for `#` (https://mermaid.js.org/syntax/flowchart.html, Entity codes). */
const mermaidText = (text: string) => text.replace(/[^A-Za-z0-9 ./:,_-]/gu, (c) => `#${c.codePointAt(0)};`)
