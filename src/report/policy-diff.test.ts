import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { policyDiff } from '../diagnose/policy-diff/diff.ts'
import { DENY_EGRESS, load, policy, SHOP, workload } from '../diagnose/policy-diff/world.test-data.ts'
import { collectFlows } from '../flows/collect.ts'
import { type PolicyDiffFormat, renderPolicyDiff } from './policy-diff.ts'

const API = (port: number) =>
  policy(
    'shop',
    'api',
    `{ podSelector: { matchLabels: { app: api } }, ingress: [ { from: [ { podSelector: { matchLabels: { app: web } } } ], ports: [ { port: ${port} } ] }, { from: [ { namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: tools } } } ] } ] }`,
  )
const ODD = policy(
  'shop',
  'odd',
  '{ podSelector: { matchExpressions: [ { key: app, operator: Near, values: [db] } ] } }',
)

function compared() {
  const flows = collectFlows()
  flows.line('{"from":"deploy/shop/web","to":"10.96.0.10","protocol":"udp","port":53,"rate":214}')
  flows.line('{"from":"deploy/shop/gone","to":"sts/shop/db","port":5432,"count":2}')
  const agent = workload('DaemonSet', 'tools', 'agent', '{ app: agent }')
  return policyDiff(load(SHOP, API(9090)), load(SHOP, API(9091), DENY_EGRESS, ODD, agent), {
    before: 'main',
    after: 'branch',
    flows: flows.done(),
  })
}

describe('renderPolicyDiff', () => {
  it.each<[PolicyDiffFormat, string]>([
    ['text', 'policy-diff.txt'],
    ['markdown', 'policy-diff.md'],
  ])('%s as in golden/%s', (format, file) => {
    const path = new URL(`./golden/${file}`, import.meta.url)
    const out = renderPolicyDiff(compared(), format, { colour: false, width: 80 })
    if (process.env.UPDATE_GOLDEN) writeFileSync(path, out)
    expect(out).toBe(readFileSync(path, 'utf8'))
  })
  it('text fits its width', () => {
    const lines = renderPolicyDiff(compared(), 'wide', { colour: false, width: 80 }).split('\n')
    expect(lines.filter((l) => l.length > 80)).toEqual([])
  })
})
