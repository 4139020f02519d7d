import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { assemble } from '../../src/assemble/assemble.ts'
import { openSnapshot } from '../../src/collect/open.ts'
import { examine } from '../../src/diagnose/doctor/doctor.ts'
import { takeInventory } from '../../src/diagnose/inventory/inventory.ts'
import { type Source, snapshotOf } from '../../src/snapshot/memory.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'

// A right that is missing must never look like a fault: of a cluster's objects each kind in turn is not there.

interface Item {
  readonly kind: string
}

let items: readonly Item[] = []
let whole: Snapshot
beforeAll(async () => {
  whole = await openSnapshot(join(import.meta.dirname, '../golden/F004.tar.gz'))
  items = whole.paths('objects/').flatMap((path) => (JSON.parse(whole.text(path)!) as { items: Item[] }).items)
})

/** A List for each kind that is not refused; with or without the state of the nodes. */
function without(refused: string, nodes: boolean): Snapshot {
  const files = new Map<string, Source>()
  for (const kind of new Set(items.map((i) => i.kind))) {
    if (kind === refused) continue
    const of = items.filter((i) => i.kind === kind)
    files.set(`objects/${kind}.json`, () => Buffer.from(JSON.stringify({ kind: `${kind}List`, items: of })))
  }
  if (nodes) for (const path of whole.paths('nodes/')) files.set(path, () => Buffer.from(whole.text(path)!))
  const { manifest } = whole
  const artefacts = nodes ? manifest.artefacts.filter((a) => a.path.startsWith('nodes/')) : []
  return snapshotOf({ ...manifest, artefacts, ...(nodes ? {} : { nodes: [], pods: [] }) }, files)
}

const findingsOf = (snapshot: Snapshot) => {
  const { network, objects } = assemble(snapshot)
  return examine({ network, objects }, {}).findings.map((f) => f.code)
}

const KINDS = ['Node', 'Pod', 'Service', 'EndpointSlice', 'Namespace']

describe.each([false, true])('with the state of the nodes: %s', (nodes) => {
  test.each(KINDS)('%s refused: no finding that is not there with it', (kind) => {
    const all = new Set(findingsOf(without('', nodes)))
    expect(findingsOf(without(kind, nodes)).filter((code) => !all.has(code))).toEqual([])
  })
})

test.each(KINDS)('%s refused: the inventory does not say absent of what was present', (kind) => {
  const states = (snapshot: Snapshot) => {
    const { network, objects } = assemble(snapshot)
    return new Map(takeInventory(network, objects, { owners: false }).decisions.map((d) => [d.id, d.state]))
  }
  const all = states(without('', false))
  const less = states(without(kind, false))
  expect([...less].filter(([id, state]) => state === 'absent' && all.get(id) === 'present').map(([id]) => id)).toEqual(
    [],
  )
})

// Clusters that are broken otherwise: in F062 the Service names a port its pods lack, in F013 a link is down.
test.each([
  ['F062', 'Pod'],
  ['F013', 'EndpointSlice'],
])('%s, %s refused: nobody says that a Service has no endpoints', async (name, kind) => {
  const before = { whole, items }
  whole = await openSnapshot(join(import.meta.dirname, `../golden/${name}.tar.gz`))
  items = whole.paths('objects/').flatMap((path) => (JSON.parse(whole.text(path)!) as { items: Item[] }).items)
  const codes = findingsOf(without(kind, true))
  whole = before.whole
  items = before.items
  expect(codes).not.toContain('service-no-endpoints')
})
