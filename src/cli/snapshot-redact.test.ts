import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { assemble } from '../assemble/assemble.ts'
import { openSnapshot } from '../collect/open.ts'
import { conclude, inquire } from '../diagnose/diagnose.ts'
import { ask } from '../diagnose/question/ask.ts'
import { redactSnapshot } from '../snapshot/redact.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

let plain: Snapshot
beforeAll(async () => {
  plain = await openSnapshot(join(import.meta.dirname, 'fixtures/route-missing.tar.gz'))
})

const everything = (s: Snapshot) => [JSON.stringify(s.manifest), ...s.paths().flatMap((p) => [p, s.text(p)])].join('\n')
const TELLING =
  /192\.168\.50\.\d+|10\.244\.\d+\.\d+|10\.96\.100\.\d+|203\.0\.113\.|5e:00:00:00:00|\b(?:client[12]|web[12]?|dns1|node[12]|solo|fabric)\b/

/** The answer without names, addresses and prose: what must not change. */
function shape(s: Snapshot, from: string, to: string) {
  const { network, objects } = assemble(s)
  const asked = ask(network, objects, { from, to, protocol: 'tcp', namespace: 'default' })
  const answer = conclude(inquire(network, objects, asked), asked)
  return {
    verdict: answer.verdict,
    probability: answer.successProbability,
    rootCause: answer.rootCause,
    findings: answer.findings.map((f) => [f.code, f.severity]),
    // Pseudonyms sort otherwise than names, and with them equal branches.
    branches: answer.branches
      .map((b) => [
        b.probability,
        b.disposition,
        ...b.forward.hops.map((h) => h.steps.map((x) => `${x.kind} ${x.verdict}`)),
      ])
      .map((b) => JSON.stringify(b))
      .sort(),
  }
}

test('a redacted snapshot tells nothing and gives the same answer', () => {
  expect(everything(plain)).toMatch(TELLING)
  for (const key of ['one', 'two']) {
    const redacted = redactSnapshot(plain, key)
    expect(TELLING.exec(everything(redacted))?.[0]).toBeUndefined()
    // client1 and web, by what the objects say of them.
    const pseudonym = (kind: string, name: string) => {
      const items = (s: Snapshot) => JSON.parse(s.text('objects/objects.json')!).items
      const at = items(plain).findIndex(
        (o: { kind: string; metadata: { name: string } }) => o.kind === kind && o.metadata.name === name,
      )
      return items(redacted)[at].metadata.name
    }
    for (const [from, service] of [
      ['client1', 'web'],
      ['client2', 'web'],
      ['client1', 'solo'],
      ['client1', 'kubernetes'],
    ] as const)
      expect(
        shape(redacted, `pod/default/${pseudonym('Pod', from)}`, `svc/default/${pseudonym('Service', service)}`),
      ).toEqual(shape(plain, `pod/default/${from}`, `svc/default/${service}`))
  }
}, 60_000)
