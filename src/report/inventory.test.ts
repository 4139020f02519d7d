import stringWidth from 'string-width'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { topology } from '../datapath/testing/topology.ts'
import { takeInventory } from '../diagnose/inventory/inventory.ts'
import { OBJECTS, STATE } from '../diagnose/testing/cluster.ts'
import type { Inventory } from '../model/inventory.ts'
import { parseIptablesSave } from '../parse/iptables/index.ts'
import { renderInventory, renderView } from './inventory.ts'

const RULES = `*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:FLANNEL-POSTRTG - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A KUBE-SERVICES -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.1.20:8080
-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE
COMMIT
*filter
:INPUT ACCEPT [0:0]
:STRANGE - [0:0]
-A INPUT -j STRANGE
-A STRANGE -p tcp -m tcp --dport 22 -j ACCEPT
COMMIT
`
const rulesets = () => [
  parseIptablesSave(RULES, { artefact: 'nodes/node1/host/iptables-save.txt', family: 'ip', backend: 'iptables-nft' }),
]
// node2's overlay link is smaller, and node3 is only known to the API.
const state = STATE.replace(
  '  flannel.1 vxlan 1 8472 172.30.0.12 10.244.2.0/32',
  '  flannel.1 vxlan 1 8472 172.30.0.12 10.244.2.0/32 mtu 1400',
)
const objects = {
  ...OBJECTS,
  nodes: [
    ...OBJECTS.nodes,
    {
      ...OBJECTS.nodes[0]!,
      meta: { ...OBJECTS.nodes[0]!.meta, name: 'node3' },
      podCIDRs: ['10.244.3.0/24'],
      kubeletVersion: 'v1.34.1',
    },
  ],
}
const inventory = takeInventory(topology(state, { 'node1/host': rulesets(), 'node2/host': rulesets() }), objects, {
  owners: true,
})
const plain = { colour: false, links: false, width: 80 }

describe('the inventory as text', () => {
  it('is what it was', async () => {
    await expect(renderInventory(inventory, 'text', plain)).toMatchFileSnapshot('golden/inventory.txt')
  })
  it('wide has evidence, links and owners', async () => {
    await expect(renderInventory(inventory, 'wide', plain)).toMatchFileSnapshot('golden/inventory-wide.txt')
  })
  it('fits 80 columns', () => {
    for (const line of renderInventory(inventory, 'text', plain).split('\n'))
      expect(stringWidth(line), line).toBeLessThanOrEqual(80)
  })
  it('shows the map of links when asked', () => {
    expect(renderInventory(inventory, 'text', { ...plain, links: true })).toContain('eth0 ↔ veth-web1 ↔ cni0')
    expect(renderInventory(inventory, 'text', plain)).not.toContain('veth-web1')
  })
})

describe('the inventory for programs', () => {
  it('JSON has the kind, and every fact its evidence', () => {
    const json = JSON.parse(renderInventory(inventory, 'json', plain)) as Record<string, unknown>
    expect(json).toMatchObject({ apiVersion: 'netwhy/v1', kind: 'Inventory' })
    const facts = json.decisions as {
      id: string
      state: string
      value: string | null
      why?: string
      evidence: unknown[]
    }[]
    expect(facts.map((f) => f.id)).toEqual([
      'host-network',
      'overlay',
      'cni',
      'ipam',
      'ip-families',
      'node-cidr',
      'pod-cidr',
      'service-cidr',
      'mtu',
      'proxy-mode',
      'policy-enforcer',
      'dns',
      'load-balancer',
      'ingress',
      'mesh',
      'bandwidth',
    ])
    for (const f of facts) {
      expect(f.value === null, f.id).toBe(f.state === 'unknown')
      if (f.state === 'unknown') expect(f.why, f.id).toBeTruthy()
      if (f.state === 'present') expect(f.evidence.length, f.id).toBeGreaterThan(0)
    }
  })
  it('YAML says the same as JSON', () => {
    expect(parse(renderInventory(inventory, 'yaml', plain))).toEqual(
      JSON.parse(renderInventory(inventory, 'json', plain)),
    )
  })
})

describe('single tables', () => {
  it('links of every netns', () => {
    const text = renderView(inventory, 'links', 'text', plain)
    expect(text).toMatch(/node2 {2}pod\/default\/web2 {3,}eth0 .* ↔ host:veth-web2/)
    expect(JSON.parse(renderView(inventory, 'links', 'json', plain))).toMatchObject({ kind: 'Links' })
  })
  it('owners, and chains of nobody', () => {
    const text = renderView(inventory, 'owners', 'text', plain)
    expect(text).toMatch(/node1 {2}host {2}kube-proxy +1 chain +3 rules/)
    expect(text).toContain('node1 host: ip filter STRANGE, 1 rule')
    expect(parse(renderView(inventory, 'owners', 'yaml', plain))).toMatchObject({ kind: 'RuleOwners' })
  })
})

describe('hostile text', () => {
  const evil = '\u001b[31mx\n| `y` |'
  const d = inventory.decisions[0]!
  const hostile: Inventory = {
    ...inventory,
    decisions: [{ ...d, value: evil, owner: evil, evidence: [{ artefact: evil, text: evil }] }],
    layers: [{ ...inventory.layers[0]!, text: evil, owner: evil }],
    attachments: [{ ...inventory.attachments[0]!, pod: evil, hostLink: evil }],
    unknownChains: [{ ...inventory.unknownChains[0]!, chain: evil }],
  }
  it.each(['text', 'wide', 'json', 'yaml', 'markdown'] as const)('%s holds no control character', (format) => {
    const text = renderInventory(hostile, format, { ...plain, links: true })
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
  })
})
