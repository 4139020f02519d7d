/** The healthy lab in its topologies, proxy modes and families raises no alarm; its faults are named by the state alone. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { breakIt } from '../../../lab/break.ts'
import { inventoryPath } from '../../../lab/inventory.ts'
import { heal } from '../../../lab/lifecycle.ts'
import type { LabOptions } from '../../../lab/plan.ts'
import { makeTrial, type Trial } from '../../../lab/trial.ts'
import { assemble } from '../../assemble/index.ts'
import { collectInventory } from '../../collect/collect-inventory.ts'
import { readInventory } from '../../collect/inventory.ts'
import { NODE_STATE_CHECKS } from './node-state.ts'

let lab: Trial
beforeAll(async () => {
  lab = await makeTrial('nodestate')
})
afterAll(() => lab?.end())

/** `error fdb-wrong node1` of everything above info. */
async function alarms(): Promise<string[]> {
  const inventory = readInventory(inventoryPath(lab.place))
  const snapshot = await collectInventory(inventory, { signal: new AbortController().signal, progress: () => {} })
  const state = assemble(snapshot)
  return NODE_STATE_CHECKS.flatMap((check) => check.find(state))
    .filter((f) => f.finding.severity !== 'info')
    .map(({ finding: f }) => `${f.severity} ${f.code} ${f.where.node ?? ''}`)
}

/** Every topology with every proxy mode, every other one with both families; each lab takes two seconds. */
const HEALTHY: readonly Partial<LabOptions>[] = (['flannel', 'hostgw', 'calico'] as const).flatMap((topology, i) => [
  { topology, proxy: 'iptables', stack: i % 2 === 0 ? 'ipv4' : 'dual' },
  { topology, proxy: 'nftables', stack: i % 2 === 0 ? 'dual' : 'ipv4' },
])

describe('no alarm on the healthy lab', () => {
  test.each([...HEALTHY, { topology: 'flannel', iptables: 'legacy' } as const])(
    '$topology $proxy $stack $iptables',
    async (options) => {
      await lab.down()
      await lab.up(options)
      expect(await alarms()).toEqual([])
    },
  )
})

describe('faults of the lab, by state alone', () => {
  beforeAll(async () => {
    await lab.down()
    await lab.up()
  })
  test.each([
    'ip-forward-off',
    'link-forwarding-off',
    'bridge-netfilter-off',
    'tunnel-down',
    'vtep-mac-mismatch',
    'fdb-wrong',
    'rp-filter-drop',
  ])('%s', async (name) => {
    await breakIt(lab.place, name)
    const found = await alarms()
    await heal(lab.place)
    expect(found.map((f) => f.split(' ')[1])).toContain(name)
  })
})
