import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PolicyMatrixView } from '../model/policy-matrix.ts'
import { POLICY_MATRIX_FORMATS, renderPolicyMatrix } from './policy-matrix.ts'

const SETS: readonly (readonly string[])[] = [[], ['all'], ['TCP 80', 'UDP 53'], ['TCP 443']]

/** Cells are indexes of SETS; a cell of 9 is not known. Names that begin with `out:` are outside. */
function viewOf(names: readonly string[], cells: readonly (readonly number[])[], more: Partial<PolicyMatrixView> = {}) {
  const view: PolicyMatrixView = {
    ends: names.map((name) => ({
      name: name.replace(/^out:/, ''),
      kind: name.startsWith('out:') ? 'outside' : 'pods',
      namespace: name.startsWith('out:') ? '' : 'shop',
      size: 1,
    })),
    sources: names.map((_, i) => i),
    isTarget: () => true,
    row: (i) => Uint32Array.from(cells[i]!),
    rowKey: (i) => String(i),
    allowed: (id) => SETS[id] ?? [],
    unknown: (id) => (id === 9 ? ['TCP 5432'] : []),
    outsideNames: (ends) => (ends.length === 2 ? ['external'] : ends.map((i) => names[i]!.slice(4))),
    selfCounts: false,
    notes: [],
    ...more,
  }
  return view
}

function render(
  view: PolicyMatrixView,
  format: (typeof POLICY_MATRIX_FORMATS)[number],
  grouped: PolicyMatrixView | null = null,
) {
  return [...renderPolicyMatrix({ view, exposure: null, grouped }, format, { colour: false, width: 80 })].join('')
}

const SHOP = viewOf(
  ['deploy/shop/api', 'deploy/shop/web', 'sts/shop/db', 'out:10.0.0.0/8', 'out:rest'],
  [
    [1, 0, 3, 0, 0],
    [2, 1, 9, 1, 1],
    [0, 0, 0, 0, 0],
    [0, 2, 0, 0, 0],
    [0, 1, 0, 0, 0],
  ],
)

describe('the policy matrix', () => {
  it('is a grid with a legend', () => {
    expect(render(SHOP, 'text')).toBe(
      [
        'row reaches column A B C D E',
        'A deploy/shop/api    · a · ·',
        'B deploy/shop/web  b   ? ● ●',
        'C sts/shop/db      · ·   · ·',
        'D 10.0.0.0/8       · b ·',
        'E rest             · ● ·',
        '',
        '● every port   · nothing   ? not known',
        'a TCP 443',
        'b TCP 80, UDP 53',
        '',
      ].join('\n'),
    )
  })

  it('is a list with -o wide, the outside under the fewest names', () => {
    expect(render(SHOP, 'wide')).toBe(
      [
        'deploy/shop/api',
        '  TCP 443 → sts/shop/db',
        'deploy/shop/web',
        '  TCP 80, UDP 53 → deploy/shop/api',
        '  every port → external',
        '  ? not known on some ports → sts/shop/db',
        '10.0.0.0/8',
        '  TCP 80, UDP 53 → deploy/shop/web',
        'rest',
        '  every port → deploy/shop/web',
        '',
      ].join('\n'),
    )
  })

  it('is JSON, a connection a line, what is not known apart', () => {
    expect(JSON.parse(render(SHOP, 'json'))).toEqual({
      apiVersion: 'netwhy/v1',
      kind: 'PolicyMatrix',
      connections: [
        { from: 'deploy/shop/api', to: 'sts/shop/db', ports: ['TCP 443'] },
        { from: 'deploy/shop/web', to: 'deploy/shop/api', ports: ['TCP 80', 'UDP 53'] },
        { from: 'deploy/shop/web', to: 'external', ports: ['all'] },
        { from: '10.0.0.0/8', to: 'deploy/shop/web', ports: ['TCP 80', 'UDP 53'] },
        { from: 'rest', to: 'deploy/shop/web', ports: ['all'] },
      ],
      unknown: [{ from: 'deploy/shop/web', to: 'sts/shop/db', ports: ['TCP 5432'] }],
    })
    expect(JSON.parse(render(viewOf(['pod/a/b'], [[0]]), 'json'))).toEqual({
      apiVersion: 'netwhy/v1',
      kind: 'PolicyMatrix',
      connections: [],
    })
  })

  it('is CSV that no spreadsheet runs', () => {
    const view = viewOf(
      ['=cmd()', 'a,"b'],
      [
        [0, 2],
        [9, 0],
      ],
    )
    expect(render(view, 'csv')).toBe(
      'from,to,ports,state\n\'=cmd(),"a,""b",TCP 80;UDP 53,allowed\n"a,""b",\'=cmd(),TCP 5432,unknown\n',
    )
  })

  it('draws graphs', () => {
    const view = viewOf(
      ['deploy/shop/api', 'deploy/shop/web', 'out:rest'],
      [
        [0, 2, 0],
        [9, 0, 0],
        [0, 1, 0],
      ],
    )
    expect(render(view, 'dot')).toBe(
      [
        'digraph policies {',
        '  rankdir=LR;',
        '  node [shape=box, fontname="sans-serif"];',
        '  edge [fontname="sans-serif", fontsize=10];',
        '  subgraph "cluster_shop" {',
        '    label="shop";',
        '    n0 [label="deploy/shop/api"];',
        '    n1 [label="deploy/shop/web"];',
        '  }',
        '  n2 [label="rest", shape=ellipse];',
        '  n0 -> n1 [label="TCP 80, UDP 53"];',
        '  n1 -> n0 [label="?", style=dashed];',
        '  n2 -> n1 [label="every port"];',
        '}',
        '',
      ].join('\n'),
    )
    expect(render(view, 'mermaid')).toBe(
      [
        'flowchart LR',
        '  subgraph s0["shop"]',
        '    n0["deploy/shop/api"]',
        '    n1["deploy/shop/web"]',
        '  end',
        '  n2(["rest"])',
        '  n0 -->|"TCP 80, UDP 53"| n1',
        '  n1 -.->|"?"| n0',
        '  n2 -->|"every port"| n1',
        '',
      ].join('\n'),
    )
  })

  it('keeps hostile names from being more than names', () => {
    const hostile = ['x"]; end\\', '<script>alert(1)</script>&\'"', 'a\u001b[31m|b\n- c']
    const view = viewOf(hostile, [
      [0, 1, 2],
      [1, 0, 1],
      [2, 2, 0],
    ])
    for (const format of POLICY_MATRIX_FORMATS) {
      const out = render(view, format)
      expect(out, format).not.toContain('\u001b')
      if (format !== 'json' && format !== 'csv' && format !== 'text' && format !== 'wide' && format !== 'dot')
        expect(out, format).not.toContain('<script>')
    }
    expect(render(view, 'dot')).toContain('label="x\\"]; end\\\\"')
    expect(render(view, 'mermaid')).toContain('n0["x#34;#93;#59; end#92;"]')
    expect(render(view, 'svg')).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&amp;&#39;&quot;')
    expect(render(view, 'markdown')).toContain('\\<script\\>')
    expect(render(view, 'markdown')).toContain('\\|b')
  })

  it('is SVG that stands alone', () => {
    const out = render(SHOP, 'svg')
    expect(out).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" width="\d+" height="\d+"/)
    expect(out).not.toMatch(/href|url\(|<script|<style/)
    expect(out.match(/<title>/g)).toHaveLength(1 + 4 + 4 + 4 + 3 + 3)
    expect(out).toContain('<title>deploy/shop/web → sts/shop/db: not known</title>')
  })

  it('falls back to namespaces, then to a list, where a grid is too wide', () => {
    const names = Array.from({ length: 40 }, (_, i) => `pod/shop/p${i}`)
    const big = viewOf(
      names,
      names.map(() => names.map(() => 1)),
    )
    expect(
      render(
        big,
        'text',
        viewOf(
          ['ns/shop', 'ns/tools'],
          [
            [1, 0],
            [2, 1],
          ],
          { selfCounts: true },
        ),
      ),
    ).toBe(
      [
        'By namespace: what some pod of the one may reach in the other',
        'row reaches column A B',
        'A ns/shop          ● ·',
        'B ns/tools         a ●',
      ].join('\n') +
        '\n\n● every port   · nothing\na TCP 80, UDP 53\n\nAll connections: -o wide. Fewer: --from, --to or -n.\n',
    )
    const list = render(big, 'text')
    expect(list).toContain(
      '  every port → pod/shop/p1, pod/shop/p2, pod/shop/p3, pod/shop/p4, pod/shop/p5\n      and 34 more\n',
    )
    expect(list.split('\n').every((l) => l.length <= 80)).toBe(true)
  })

  it('writes the same connections in pieces as at once, rows kept or not', () => {
    const square = fc
      .integer({ min: 1, max: 5 })
      .chain((n) =>
        fc.array(fc.array(fc.constantFrom(0, 1, 2, 9), { minLength: n, maxLength: n }), { minLength: n, maxLength: n }),
      )
    fc.assert(
      fc.property(square, fc.boolean(), (cells, self) => {
        const names = cells.map((_, i) => `pod/a/${i}`)
        // Equal rows have equal keys.
        const view = viewOf(names, cells, { rowKey: (i) => cells[i]!.join(), selfCounts: self })
        const out = JSON.parse(render(view, 'json')) as { connections: { from: string; to: string; ports: string[] }[] }
        const expected = names.flatMap((from, i) =>
          names.flatMap((to, j) => {
            const set = SETS[cells[i]![j]!] ?? []
            return set.length === 0 || (i === j && !self) ? [] : [{ from, to, ports: set }]
          }),
        )
        expect(out.connections).toEqual(expected)
      }),
    )
  })
})
