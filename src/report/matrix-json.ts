import type { Matrix, MatrixCell } from '../model/matrix.ts'
import { findingJson } from './answer-json.ts'
import { clean, LINE_LIMIT } from './clean.ts'

const LIMIT = LINE_LIMIT * 10

function cellJson(c: MatrixCell): Record<string, unknown> {
  return {
    traffic: c.traffic,
    direction: c.direction,
    level: c.level,
    from: c.from,
    to: c.to,
    protocol: c.protocol,
    state: c.state,
    probability: c.probability === null ? null : Math.round(c.probability * 1e6) / 1e6,
    ...(c.code === undefined ? {} : { code: c.code }),
    ...(c.reason === undefined ? {} : { reason: clean(c.reason, LIMIT) }),
    ...(c.proven ? { proven: true } : {}),
  }
}

/** The object `netwhy matrix -o json` prints: `summary` holds every place once, `cells` every connection tried. */
export function matrixJson(m: Matrix): Record<string, unknown> {
  return {
    apiVersion: 'netwhy/v1',
    kind: 'Matrix',
    summary: m.places.map((p) => ({
      traffic: p.traffic,
      direction: p.direction,
      level: p.level,
      state: p.state,
      tried: p.tried,
      counts: p.counts,
      ...(p.example ? { example: { from: p.example.from, to: p.example.to, protocol: p.example.protocol } } : {}),
      ...(p.code === undefined ? {} : { code: p.code }),
      ...(p.reason === undefined ? {} : { reason: clean(p.reason, LIMIT) }),
    })),
    nodes: m.nodePairs,
    cells: m.cells.map(cellJson),
    sampled: m.sampled,
    findings: m.findings.map((f) => ({ ...findingJson(f), ...(f.breaks ? { breaks: f.breaks } : {}) })),
  }
}
