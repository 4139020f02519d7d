/** Every fault breaks what it says, and heal restores it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { breakIt } from './break.ts'
import { FAULTS } from './faults/index.ts'
import { listAt, nameOf, namespaceOf, ofKind, stringsAt, textAt } from './kubejson.ts'
import { heal } from './lifecycle.ts'
import { readObjects, readState } from './state.ts'
import { makeTrial, type Trial } from './trial.ts'

let lab: Trial
beforeAll(async () => {
  lab = await makeTrial('faults')
  await lab.up()
})
afterAll(() => lab?.end())

/** `pod/NS/NAME:PORT`, `svc/NS/NAME:PORT` or `IP:PORT` as address and port; null when there is no such object. */
function target(text: string): [string, number] | null {
  const at = text.lastIndexOf(':')
  const [ref, port] = [text.slice(0, at), Number(text.slice(at + 1))]
  const [kind, namespace, name] = ref.split('/')
  if (namespace === undefined) return [ref, port]
  const found = ofKind(readObjects(lab.place), kind === 'pod' ? 'Pod' : 'Service').find(
    (o) => namespaceOf(o) === namespace && nameOf(o) === name,
  )
  if (!found) return null
  const ip =
    kind === 'pod' ? textAt(listAt(found, 'status', 'podIPs')[0]!, 'ip') : stringsAt(found, 'spec', 'clusterIPs')[0]!
  return [ip, port]
}

/** How many of some tries come through. */
async function comeThrough(example: readonly [string, string, 'bulk'?], tries: number): Promise<number> {
  const at = target(example[1])
  if (!at) return tries
  const from = example[0] === 'external' ? 'node/outside' : example[0]
  const path = example[2] === 'bulk' ? '/bytes/100000' : '/'
  const answers = await Promise.all(
    Array.from({ length: tries }, () => lab.probe(from, ...at, { patience: 500, path })),
  )
  return answers.filter((a) => a.outcome === 'open' || (a.outcome === 'silent' && at[1] === 53)).length
}

test('names and codes are unique and spelled as codes are', () => {
  expect(new Set(FAULTS.map((f) => f.name)).size).toBe(FAULTS.length)
  for (const f of FAULTS) expect(`${f.name} ${f.code}`).toMatch(/^[a-z0-9-]+ [a-z0-9-]+$/)
})

/** Every example comes through, so that a failure below is the fault's. */
async function allWell(): Promise<void> {
  const examples = new Map(FAULTS.map((f) => [f.example.join(' '), f.example]))
  for (const example of examples.values())
    expect([example.join(' '), await comeThrough(example, 2)]).toEqual([example.join(' '), 2])
}

test('the healthy lab answers every example', allWell)

test.each(FAULTS.map((f) => [f.name, f] as const))('%s', async (name, fault) => {
  const tries = ['bridge-netfilter-off', 'hairpin-off'].includes(name) ? 8 : 2
  await breakIt(lab.place, name)
  expect(readState(lab.place)?.faults).toEqual([name])
  expect(await comeThrough(fault.example, tries)).toBeLessThan(tries === 8 ? 8 : 1)
  expect(await heal(lab.place)).toEqual([name])
  expect(readState(lab.place)?.faults).toEqual([])
})

test('after all healing every example is answered again', allWell)
