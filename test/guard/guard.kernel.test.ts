/** guard on the lab: what holds, breaks with a fault and with a policy, and holds again when that is gone. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { applyObjects } from '../../lab/apply.ts'
import { breakIt } from '../../lab/break.ts'
import { heal } from '../../lab/lifecycle.ts'
import { makeTrial, type Trial } from '../../lab/trial.ts'
import { declareGuard } from '../../src/cli/guard.ts'
import type { GuardReport } from '../../src/model/guard.ts'

const EXPECTATIONS = `apiVersion: netwhy/v1
kind: Expectations
expect:
  - { name: web, from: [shop/web-1, shop/web-2], to: svc/shop/api:8080 }
  - { name: dns, from: everyone, to: dns }
  - { name: db, from: { not: { namespace: shop } }, to: shop/db-0, port: 5432, reaches: false }
`
const POLICY = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'db-from-shop', namespace: 'shop' },
  spec: { podSelector: { matchLabels: { app: 'db' } }, ingress: [{ from: [{ podSelector: {} }] }] },
}

let lab: Trial
let folder = ''
beforeAll(async () => {
  lab = await makeTrial('guard')
  folder = mkdtempSync(join(tmpdir(), 'netwhy-guard-'))
  writeFileSync(join(folder, 'e.yaml'), EXPECTATIONS)
  await lab.up()
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await lab?.end()
})

async function guard(): Promise<{ code: number; states: Record<string, string>; report: GuardReport }> {
  let out = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text)
    return true
  })
  const program = new Command().exitOverride()
  declareGuard(program)
  try {
    const args = ['guard', join(folder, 'e.yaml'), '--inventory', join(lab.place.dir, 'inventory.yaml'), '-o', 'json']
    await program.parseAsync(['node', 'netwhy', ...args])
    const report = JSON.parse(out) as GuardReport
    const states = Object.fromEntries(report.results.map((r) => [r.name, r.state]))
    return { code: Number(process.exitCode), states, report }
  } finally {
    write.mockRestore()
    process.exitCode = 0
  }
}

test('a promise that nobody reaches the database needs a policy', async () => {
  const open = await guard()
  expect([open.code, open.states]).toEqual([1, { web: 'holds', dns: 'holds', db: 'broken' }])
  // The kernel says the same of the first example.
  const [example] = open.report.results.find((r) => r.name === 'db')?.examples ?? []
  expect(example).toMatchObject({ outcome: 'reaches', to: 'pod/shop/db-0:5432' })

  await applyObjects(lab.place, [POLICY])
  const closed = await guard()
  expect([closed.code, closed.states]).toEqual([0, { web: 'holds', dns: 'holds', db: 'holds' }])
  expect((await lab.probe('pod/tools/client', '10.244.3.30', 5432, { patience: 500 })).outcome).not.toBe('open')
})

test('a missing route breaks it, healing restores it', async () => {
  await breakIt(lab.place, 'route-missing')
  const broken = await guard()
  expect([broken.code, broken.states.web]).toEqual([1, 'broken'])
  expect(broken.report.results.find((r) => r.name === 'web')?.examples[0]).toMatchObject({ code: 'route-missing' })
  await heal(lab.place)
  const healed = await guard()
  expect([healed.code, healed.states]).toEqual([0, { web: 'holds', dns: 'holds', db: 'holds' }])
})
