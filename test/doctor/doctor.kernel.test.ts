/** doctor on the lab: silent where all is well, in every shape of the lab; and every fault of the lab is named. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { breakIt } from '../../lab/break.ts'
import { FAULTS } from '../../lab/faults/index.ts'
import { heal } from '../../lab/lifecycle.ts'
import type { LabOptions } from '../../lab/plan.ts'
import { makeTrial, type Trial } from '../../lab/trial.ts'
import { assemble } from '../../src/assemble/assemble.ts'
import { collectInventory } from '../../src/collect/collect-inventory.ts'
import { readInventory } from '../../src/collect/inventory.ts'
import { examine } from '../../src/diagnose/doctor/doctor.ts'
import type { Report } from '../../src/model/finding.ts'

let lab: Trial
beforeAll(async () => {
  lab = await makeTrial('doctor')
})
afterAll(() => lab?.end())

async function doctor(): Promise<Report> {
  const snapshot = await collectInventory(readInventory(`${lab.place.dir}/inventory.yaml`), {})
  return examine(assemble(snapshot))
}

const alarms = (r: Report) =>
  r.findings
    .filter((f) => f.severity !== 'info')
    .map((f) => `${f.severity} ${f.code} ${f.where.node ?? ''}: ${f.title}`)

const SHAPES: readonly Partial<LabOptions>[] = [
  { topology: 'flannel', proxy: 'iptables' },
  { topology: 'flannel', proxy: 'nftables' },
  { topology: 'hostgw', proxy: 'iptables' },
  { topology: 'hostgw', proxy: 'nftables' },
  { topology: 'calico', proxy: 'iptables' },
  { topology: 'calico', proxy: 'nftables' },
  { topology: 'flannel', proxy: 'iptables', iptables: 'legacy' },
  { topology: 'flannel', proxy: 'iptables', stack: 'dual' },
  { topology: 'calico', proxy: 'nftables', stack: 'ipv6' },
]

test.each(SHAPES.map((s) => [Object.values(s).join(' '), s] as const))('healthy: %s', async (_name, shape) => {
  await lab.up(shape)
  try {
    const report = await doctor()
    expect(alarms(report)).toEqual([])
    expect(report.verdicts).toEqual({ hostNetwork: 'ok', containerNetwork: 'ok', setupState: 'step2-ok' })
    expect(report.tried.undecided).toBe(0)
    expect(report.tried.delivered).toBeGreaterThan(40)
  } finally {
    await lab.down()
  }
})

/** Why doctor does not call these errors. */
const NOT_ERRORS: Readonly<Record<string, string>> = {
  'path-mtu-too-small': 'no static state shows what the underlay carries',
  'dns-upstream-unreachable': 'whether a machine outside answers no state shows',
  'service-no-endpoints': 'nobody may need the Service',
  'traffic-policy-no-local-endpoint': 'meant so',
  'policy-denies-ingress': 'meant so',
  'policy-denies-egress': 'meant so',
  'policy-denies-dns': 'a policy may mean it: a warning',
  'policy-uses-service-port': 'a policy may mean it: a warning',
}

/** What doctor calls the same thing, seen from the state: more than one pod's packets show it. */
const NAMED_BY_STATE: Readonly<Record<string, string>> = { 'masquerade-missing': 'rules-flushed' }

test('every fault of the lab is named', async () => {
  await lab.up()
  const missed: string[] = []
  for (const fault of FAULTS) {
    await breakIt(lab.place, fault.name)
    const { findings } = await doctor()
    await heal(lab.place)
    const errors = findings.filter((f) => f.severity === 'error')
    if (fault.code in NOT_ERRORS) {
      if (errors.length > 0) missed.push(`${fault.name}: ${alarms({ findings } as Report)}`)
    } else if (!errors.some((f) => f.code === (NAMED_BY_STATE[fault.code] ?? fault.code)))
      missed.push(`${fault.name}: ${errors.map((f) => f.code)}`)
  }
  expect(missed).toEqual([])
  expect(alarms(await doctor())).toEqual([])
})
