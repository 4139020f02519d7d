import { describe, expect, it } from 'vitest'
import type { MatrixState, NodePair } from '../model/matrix.ts'
import { nodeLines } from './matrix-nodes.ts'

const pair = (from: number, to: number, state: MatrixState = 'works'): NodePair => ({
  from: `worker-${from}.example.com`,
  to: `worker-${to}.example.com`,
  state,
  ...(state === 'fails' ? { code: 'route-missing' } : {}),
})
const ring = (n: number, bad: (from: number, to: number) => boolean) =>
  Array.from({ length: n }, (_, i) =>
    [0, 1, 50].map((d) => pair(i, (i + d) % n, bad(i, (i + d) % n) ? 'fails' : 'works')),
  ).flat()

describe('many nodes', () => {
  it.each([
    ['all well', ring(100, () => false), ['  300 of 300 tried pairs of nodes work']],
    [
      'one node that sends nowhere and is not reached either',
      ring(100, (f, t) => f !== t && (f === 7 || t === 7)),
      [
        '  296 of 300 tried pairs of nodes work',
        '  ✗ everything from worker-7.example.com (route-missing)',
        '  ✗ everything to worker-7.example.com (route-missing)',
      ],
    ],
    [
      'one pair',
      ring(100, (f, t) => f === 3 && t === 4),
      ['  299 of 300 tried pairs of nodes work', '  ✗ worker-3.example.com → worker-4.example.com (route-missing)'],
    ],
  ] as const)('%s', (_name, pairs, wanted) => {
    const lines = nodeLines(pairs, 80)
    expect(lines.slice(1)).toEqual(wanted)
    for (const l of lines) expect(l.length).toBeLessThanOrEqual(80)
  })

  it('everything broken stays short', () => {
    expect(
      nodeLines(
        ring(100, () => true),
        80,
      ).length,
    ).toBeLessThan(60)
  })
})

it('a few nodes are a grid', () => {
  const pairs = [1, 2].flatMap((f) =>
    [1, 2].map((t) => ({ ...pair(f, t, f < t ? 'fails' : 'works'), from: `n${f}`, to: `n${t}` })),
  )
  expect(nodeLines(pairs, 80).slice(1)).toEqual(['      n1  n2', '  n1  ✓   ✗', '  n2  ✓   ✓'])
})

it('nothing tried, nothing said', () => expect(nodeLines([], 80)).toEqual([]))
