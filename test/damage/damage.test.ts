import { describe, expect, it } from 'vitest'
import { assemble } from '../../src/assemble/assemble.ts'
import { openSnapshot } from '../../src/collect/open.ts'
import { conclude, inquire } from '../../src/diagnose/diagnose.ts'
import { ask } from '../../src/diagnose/question/ask.ts'
import { snapshotOf } from '../../src/snapshot/memory.ts'
import type { ManifestArtefact, Snapshot } from '../../src/snapshot/snapshot.ts'

/** From, to, and what the whole snapshot says. */
const QUESTIONS = [
  ['tools/client', 'shop/web-1:8080', 'reachable'],
  ['tools/client', 'svc/shop/web:80', 'partial'],
  ['node/node1', 'shop/web-2:8080', 'reachable'],
  ['external', 'node/node1:30080', 'reachable'],
] as const

interface Damage {
  readonly bytes: Uint8Array | null
  /** What the manifest says of it; null: nothing. */
  readonly told: Partial<ManifestArtefact> | null
}

const half = (b: Uint8Array) => b.subarray(0, b.length >> 1)
const instead = (text: string): Damage => {
  const bytes = new TextEncoder().encode(text)
  return { bytes, told: { bytes: bytes.length } }
}

const DAMAGES: Readonly<Record<string, (whole: Uint8Array) => Damage>> = {
  'not there': () => ({ bytes: null, told: null }),
  'cut in half on the way': (b) => ({ bytes: half(b), told: {} }),
  'another text in its place': () => instead('lorem ipsum dolor\nsit amet 17 consectetur\n'),
  'its command missing': () => ({
    bytes: new Uint8Array(),
    told: { bytes: 0, exitCode: 127, stderr: 'sh: not found' },
  }),
}

const ARTEFACTS = [
  ...['ip-addr.json', 'ip-link.json', 'ip-route.json', 'ip-rule.json', 'iptables-save.txt', 'sysctl.txt', 'ss.txt'].map(
    (f) => `nodes/node2/host/${f}`,
  ),
  ...['ip-addr.json', 'ip-route.json', 'iptables-save.txt'].map((f) => `nodes/node1/host/${f}`),
  'nodes/node2/host/bridge-fdb.json',
  'nodes/node2/pods/tools_client/ip-route.json',
  'nodes/node2/pods/shop_web-1/ss.txt',
]

function damaged(whole: Snapshot, path: string, damage: Damage): Snapshot {
  const files = new Map(whole.paths().map((p) => [p, () => whole.bytes?.(p) ?? new Uint8Array()]))
  const { bytes, told } = damage
  if (bytes) files.set(path, () => bytes)
  else files.delete(path)
  const artefacts = whole.manifest.artefacts
    .filter((a) => told !== null || a.path !== path)
    .map((a) => (a.path === path ? { ...a, ...told } : a))
  return snapshotOf({ ...whole.manifest, artefacts }, files)
}

function verdictsOn(snapshot: Snapshot) {
  const { network, objects } = assemble(snapshot)
  return QUESTIONS.map(([from, to]) => {
    const asked = ask(network, objects, { from, to, protocol: 'tcp', namespace: 'default' })
    const answer = conclude(inquire(network, objects, asked), asked)
    return { verdict: answer.verdict, explained: answer.verdict !== 'unknown' || answer.missing.length > 0 }
  })
}

describe('a half-collected node', async () => {
  const whole = await openSnapshot(new URL('../../demo/fdb-missing.tar.gz', import.meta.url).pathname)

  it('is judged rightly when it is whole', () => {
    expect(verdictsOn(whole).map((a) => a.verdict)).toEqual(QUESTIONS.map((q) => q[2]))
  })

  it.each(ARTEFACTS)('%s damaged makes answers unknown, never wrong', (path) => {
    const bytes = whole.bytes?.(path) ?? new Uint8Array()
    for (const [name, damage] of Object.entries(DAMAGES))
      for (const [i, answer] of verdictsOn(damaged(whole, path, damage(bytes))).entries()) {
        expect([QUESTIONS[i]?.[2], 'unknown'], `${path}: ${name}: ${QUESTIONS[i]?.join(' ')}`).toContain(answer.verdict)
        expect(answer.explained, `${path}: ${name}: says what is missing`).toBe(true)
      }
  })
})
