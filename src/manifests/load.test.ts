import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadManifests } from './load.ts'

const one = (text: string) => loadManifests([{ path: 'f.yaml', text }])
const lines = (m: ReturnType<typeof one>) => m.issues.map((i) => `${i.artefact}:${i.line ?? ''} ${i.message}`)
const names = (m: ReturnType<typeof one>) => m.objects.others.map((o) => `${o.kind} ${o.meta.namespace}/${o.meta.name}`)
const cm = (name: string, extra = '') => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\n${extra}`

describe('documents', () => {
  it.each<[string, string, string[], string[]]>([
    [
      'several, with comments between',
      `# top\n---\n${cm('a')}---\n# none\n---\n\n--- # two\n${cm('b')}`,
      ['a', 'b'],
      [],
    ],
    ['CRLF and a byte order mark', `\ufeff${`${cm('a')}---\n${cm('b')}`.replaceAll('\n', '\r\n')}`, ['a', 'b'], []],
    ['--- in a block scalar', cm('a', 'data:\n  x: |\n    ---\n    kind: Pod\n'), ['a'], []],
    ['a broken one costs itself only', `${cm('a')}---\nx: [\n---\n${cm('b')}`, ['a', 'b'], ['f.yaml:6']],
    [
      'JSON among YAML',
      `${cm('a')}---\n{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"b"}}\n`,
      ['a', 'b'],
      [],
    ],
    ['JSON alone, tabs in it', '{\n\t"kind":"ConfigMap","apiVersion":"v1",\n\t"metadata":{"name":"b"}}', ['b'], []],
    [
      'a List in a List',
      `apiVersion: v1\nkind: List\nitems:\n- kind: List\n  items:\n  - ${cm('a').replaceAll('\n', '\n    ')}`,
      ['a'],
      [],
    ],
    ['an empty file', '\n# nothing\n', [], []],
    ['a key that stands twice', `${cm('a')}metadata: { name: b }\n`, ['b'], ['f.yaml:4']],
    ['a tag of another program', cm('a', 'data: { x: !vault abc, y: !Ref [1], z: !!python/name:a.b c }\n'), ['a'], []],
    ['a directive', `%YAML 1.1\n---\n${cm('a')}`, ['a'], []],
    [
      'content on the line of the mark',
      `--- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n---\n${cm('b')}`,
      ['a', 'b'],
      [],
    ],
    ['tabs after values', 'apiVersion: v1\t\nkind: ConfigMap\t# x\nmetadata:\n  name: a\t\n', ['a'], []],
  ])('%s', (_, text, found, troubles) => {
    const m = one(text)
    expect(names(m)).toEqual(found.map((n) => `ConfigMap default/${n}`))
    expect(lines(m).map((l) => l.split(' ')[0])).toEqual(troubles)
  })

  it('gives the line of each document, also of items of a List', () => {
    const text = `# head\n${cm('a')}---\n# why\n\n${cm('b')}---\nkind: List\nitems:\n- ${cm('c').replaceAll('\n', '\n  ')}\n- ${cm('d').replaceAll('\n', '\n  ')}`
    expect(one(text).objects.others.map((o) => o.evidence.line)).toEqual([2, 8, 14, 18])
    const items = ['a', 'b'].map((name) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, note: '[{"' } }))
    const json = JSON.stringify({ metadata: { items: [{}] }, kind: 'List', items }, null, 1)
    const wanted = [...json.matchAll(/"apiVersion/g)].map((m) => json.slice(0, m.index).split('\n').length - 1)
    expect(one(json).objects.others.map((o) => o.evidence.line)).toEqual(wanted)
  })
})

describe('what is no object', () => {
  it.each<[string, string, string]>([
    ['chart/Chart.yaml', 'apiVersion: v2\nname: x\n', 'Chart.yaml:1 the description of a Helm chart, no object'],
    ['chart/values.yaml', 'replicas: 1\nimage: x\n', 'values.yaml:1 values of a Helm chart, no object'],
    ['chart/templates/x.yaml', '{{- if .Values.x }}\nkind: Pod\n{{- end }}\n', 'x.yaml:1 a template; render it first'],
    [
      'x.yaml',
      'apiVersion: v1\nkind: Pod\nmetadata:\n  name: "{{ .Release.Name }}"\n',
      'x.yaml:1 a template; render it first',
    ],
    ['x.yaml', 'just text\n', 'x.yaml:1 no Kubernetes object'],
    ['x.yaml', 'a: 1\n---\nb: 1\n', 'x.yaml:1 no Kubernetes object: it has no kind (2 times)'],
    ['x.yaml', 'kind: Job\nmetadata: { generateName: x- }\n', 'x.yaml:1 an object without a name'],
    ['x.yaml', 'a: &a [*a]\n', 'x.yaml:1 an alias stands inside what it names'],
  ])('%s: %j', (path, text, wanted) => {
    expect(lines(loadManifests([{ path, text }])).map((l) => l.replace(/^.*\//, ''))).toEqual([wanted])
  })

  it('a bomb of aliases is refused in no time', () => {
    const levels = Array.from(
      { length: 60 },
      (_, i) => `l${i}: &l${i} [${i === 0 ? 'x, x' : `*l${i - 1}, *l${i - 1}`}]\n`,
    )
    expect(lines(one(`${cm('a')}data:\n  ${levels.join('  ')}`))).toEqual([
      'f.yaml:1 aliases make the document larger than any manifest',
    ])
  })

  it('kinds nobody reads are counted', () => {
    const flux = (name: string) => `apiVersion: flux.io/v1\nkind: Release\nmetadata: { name: ${name} }\n`
    expect(lines(one(`${flux('a')}---\n${flux('b')}`))).toEqual([
      'f.yaml: 2 objects of kind Release (flux.io): not evaluated',
    ])
  })

  it('Secrets are not kept', () => {
    expect(names(one('apiVersion: v1\nkind: Secret\nmetadata: { name: s }\ndata: { x: eA== }\n'))).toEqual([])
  })
})

it('of an object that comes twice the later counts, and it is told', () => {
  const m = loadManifests([
    { path: 'a.yaml', text: cm('x', 'data: { v: "1" }\n') },
    { path: 'b.yaml', text: `---\n${cm('x', 'data: { v: "2" }\n')}` },
  ])
  expect(m.objects.others.map((o) => [o.evidence.artefact, o.raw.data])).toEqual([['b.yaml', { v: '2' }]])
  expect(lines(m)).toEqual(['b.yaml:2 ConfigMap default/x is also at a.yaml:1; this later one counts'])
  const namespaced = loadManifests([{ path: 'a.yaml', text: cm('x') }], { namespace: 'shop' })
  expect(names(namespaced)).toEqual(['ConfigMap shop/x'])
})

it('finds the line and column of a key, in a document, a List and JSON; the nearest where it is not written', () => {
  const policy =
    'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: p\nspec:\n  "ingress":\n  - from:\n    - podSelector: {}\n    ports: []\n'
  const m = loadManifests([
    { path: 'a.yaml', text: `# x\n---\n${policy}` },
    { path: 'b.yaml', text: `kind: List\nitems:\n- ${policy.replace('name: p', 'name: q').replaceAll('\n', '\n  ')}` },
    {
      path: 'c.json',
      text: '{\n"kind": "NetworkPolicy", "metadata": {"name": "r"},\n "spec": {"ingress": [{"from": []}]}}',
    },
  ])
  const place = (name: string, path: (string | number)[]) => {
    const p = m.places.placeOf({ kind: 'NetworkPolicy', namespace: 'default', name }, path)
    return p && `${p.file}:${p.line}:${p.column}`
  }
  expect(place('p', ['spec', 'ingress', 0, 'from', 0])).toBe('a.yaml:10:7')
  expect(place('p', ['spec', 'ingress'])).toBe('a.yaml:8:3')
  expect(place('p', ['spec', 'ingress', 0, 'ports', 4])).toBe('a.yaml:11:5')
  expect(place('p', ['status'])).toBe('a.yaml:3:1')
  expect(place('q', ['spec', 'ingress', 0, 'from'])).toBe('b.yaml:9:7')
  expect(place('r', ['spec', 'ingress', 0, 'from'])).toBe('c.json:3:24')
  expect(place('s', [])).toBe(null)
})

it('never throws, and reads every healthy document beside a sick one', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      ...['---', '--- x', '...', '{{ x }}', 'kind: Pod', 'kind: List', 'items:', '- ', '  - a: *b', '&b', '<<: *b'],
    ),
    fc.constantFrom(
      ...[
        'metadata: {name: x}',
        'spec:',
        '  template: 1',
        '\t',
        '{"kind":',
        '[',
        '}',
        '"',
        '%TAG ! x',
        '? :',
        '\u0000',
      ],
    ),
    fc.string({ maxLength: 12 }),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), fc.constantFrom('\n', '\r\n', ' '), (pieces, end) => {
      const m = loadManifests([{ path: 'x.yaml', text: `${pieces.join(end)}\n---\n${cm('well')}` }])
      expect(names(m)).toContain('ConfigMap default/well')
    }),
    { numRuns: 2000 },
  )
})
