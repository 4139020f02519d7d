/** The checklist on the lab: every step a tick when nothing is wrong, and the right step a cross for each fault. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { breakIt } from '../../../lab/break.ts'
import { heal } from '../../../lab/lifecycle.ts'
import { makeTrial, type Trial } from '../../../lab/trial.ts'
import { assemble } from '../../assemble/assemble.ts'
import { collectInventory } from '../../collect/collect-inventory.ts'
import { readInventory } from '../../collect/inventory.ts'
import type { Matrix } from '../../model/matrix.ts'
import type { Walk } from '../../model/walk.ts'
import { conclude, inquire } from '../diagnose.ts'
import { matrixOf } from '../matrix/matrix.ts'
import { planMatrix } from '../matrix/plan.ts'
import { tryMatrix } from '../matrix/try.ts'
import { askWalk } from './ask-walk.ts'
import { walkOf } from './walk.ts'

let lab: Trial
beforeAll(async () => {
  lab = await makeTrial('walk')
  await lab.up()
})
afterAll(() => lab?.end())

async function state() {
  const inventory = readInventory(join(lab.place.dir, 'inventory.yaml'))
  return assemble(await collectInventory(inventory, {}))
}

async function walk(from: string, to: string, protocol?: string): Promise<Walk> {
  const { network, objects } = await state()
  const way = askWalk(network, objects, { from, to, namespace: 'default', ...(protocol ? { protocol } : {}) })
  const q = inquire(network, objects, way.asked!)
  return walkOf(q, way.asked!, conclude(q, way.asked!), way)
}

async function matrix(): Promise<Matrix> {
  const s = await state()
  const plan = planMatrix(s, { outside: '203.0.113.10:80' })
  return matrixOf(s, plan, tryMatrix(s, plan.questions))
}

/** Numbers and codes of the steps that fail. */
const failing = (w: Walk) => w.steps.filter((s) => s.state === 'failed').map((s) => `${s.number} ${s.id} ${s.finding}`)
const POD = ['pod/tools/client', 'pod/shop/web-2:8080'] as const

describe('healthy', () => {
  test.each([
    POD,
    ['pod/tools/client', 'pod/shop/web-1:8080'],
    ['pod/tools/client', 'svc/shop/api:8080'],
    ['pod/shop/web-1', 'svc/shop/web:80'],
    ['pod/tools/client', 'host:web.shop:80'],
    ['node/node1', 'svc/shop/web:80'],
    ['external', 'node/node1:30080'],
    ['external', 'svc/shop/web'],
  ] as const)('%s → %s', async (from, to) => {
    const w = await walk(from, to)
    expect(w.verdict).toBe('reachable')
    expect(w.steps.filter((s) => s.state !== 'ok' && s.state !== 'skipped')).toEqual([])
    for (const s of w.steps.filter((x) => x.state === 'ok')) expect(s.text).not.toBe('')
  })

  test('between nodes all eight are ticks', async () => {
    expect((await walk(...POD)).steps.map((s) => `${s.number} ${s.state}`)).toEqual(
      [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `${n} ok`),
    )
  })

  test('the matrix finds nothing wrong and leaves nothing open', async () => {
    const m = await matrix()
    expect(m.findings).toEqual([])
    expect(new Set(m.cells.map((c) => c.state))).toEqual(new Set(['works', 'leaves', 'not-applicable']))
  })
})

describe('broken', () => {
  const SERVICE = ['pod/tools/client', 'svc/shop/api:8080'] as const
  test.each([
    ['route-missing', POD, ['3 pod.route route-missing']],
    ['fdb-missing', POD, ['4 pod.encap fdb-missing']],
    ['tunnel-blocked', POD, ['5 pod.received tunnel-blocked']],
    ['forward-policy-drop', POD, ['6 pod.routed forward-policy-drop']],
    ['not-listening', POD, ['7 pod.deliver not-listening']],
    ['return-route-missing', POD, ['8 pod.return route-missing']],
    [
      'service-no-endpoints',
      SERVICE,
      ['3 service.selector service-no-endpoints', '5 service.endpoints service-no-endpoints'],
    ],
  ] as const)('%s', async (fault, [from, to], wanted) => {
    await breakIt(lab.place, fault)
    try {
      const w = await walk(from, to)
      expect(w.verdict).toBe('unreachable')
      expect(failing(w)).toEqual(wanted)
    } finally {
      await heal(lab.place)
    }
  })

  test('route-missing in the matrix: other nodes, not the own one; most breaking first', async () => {
    await breakIt(lab.place, 'route-missing')
    try {
      const m = await matrix()
      const at = (traffic: string) =>
        m.places.find((p) => p.level === 'pod' && p.traffic === traffic && p.direction === 'pod-ip')?.state
      expect([at('pod-pod-other-node'), at('pod-pod-same-node'), at('pod-internet')]).toEqual([
        'fails',
        'works',
        'leaves',
      ])
      expect(m.findings[0]?.code).toBe('route-missing')
    } finally {
      await heal(lab.place)
    }
  })

  test('a policy that denies is info in the matrix', async () => {
    await breakIt(lab.place, 'policy-denies-ingress')
    try {
      const m = await matrix()
      expect(m.cells.some((c) => c.state === 'denied' && c.reason?.includes('NetworkPolicy'))).toBe(true)
      expect(m.findings.filter((f) => f.severity === 'error')).toEqual([])
    } finally {
      await heal(lab.place)
    }
  })
})
