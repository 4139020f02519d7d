/** The inventory of real labs names the decisions the lab was built with. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LabOptions } from '../../lab/plan.ts'
import { makeTrial, type Trial } from '../../lab/trial.ts'
import { assemble } from '../../src/assemble/assemble.ts'
import { collectInventory } from '../../src/collect/collect-inventory.ts'
import { readInventory } from '../../src/collect/inventory.ts'
import { takeInventory } from '../../src/diagnose/inventory/inventory.ts'
import type { Inventory } from '../../src/model/inventory.ts'
import { renderInventory } from '../../src/report/inventory.ts'

let lab: Trial
beforeAll(async () => {
  lab = await makeTrial('inventory')
})
afterAll(() => lab?.end())

async function inventory(objectsOnly = false): Promise<Inventory> {
  const file = readInventory(join(lab.place.dir, 'inventory.yaml'))
  const { network, objects } = assemble(await collectInventory(objectsOnly ? { ...file, nodes: [], pods: [] } : file))
  return takeInventory(network, objects, { owners: true })
}

const value = (inv: Inventory, id: string) => inv.decisions.find((d) => d.id === id)?.value
const rewrites = (inv: Inventory, place: string) =>
  inv.path.find((p) => p.place === place)?.rewrites?.map((r) => `${r.kind} ${r.owner} ${r.hooks.join(' ')}`.trim())

const OVERLAYS: Readonly<Record<LabOptions['topology'], string>> = {
  flannel: 'overlay: VXLAN, VNI 1, UDP 8472 (flannel.1)',
  hostgw: 'no overlay: routes to the nodes (host-gw)',
  calico: 'overlay: VXLAN, VNI 4096, UDP 4789 (vxlan.calico)',
}

describe.each(['flannel', 'hostgw', 'calico'] as const)('%s', (topology) => {
  test.each(['iptables', 'nftables'] as const)('kube-proxy in %s mode', async (proxy) => {
    await lab.up({ topology, proxy })
    try {
      const inv = await inventory()
      const owner = topology === 'calico' ? 'Calico' : 'flannel'
      expect(inv.nodes.map((n) => [n.name, n.collected])).toEqual([
        ['node1', true],
        ['node2', true],
        ['node3', true],
      ])
      expect(value(inv, 'overlay')).toBe(OVERLAYS[topology])
      expect(value(inv, 'proxy-mode')).toBe(proxy === 'iptables' ? 'iptables (nf_tables)' : 'nftables')
      expect(value(inv, 'cni')).toBe(`${owner}, by its links and chains`)
      expect(value(inv, 'host-network')).toBe('network namespaces (veth), eth0')
      expect(value(inv, 'node-cidr')).toBe('172.30.0.0/24')
      expect(value(inv, 'ip-families')).toBe('IPv4')
      expect(value(inv, 'dns')).toBe('CoreDNS (2 of 2 pods ready) at 10.96.0.10')
      expect(value(inv, 'mtu')).toBe(
        {
          flannel: 'eth0 1500, flannel.1 1450, cni0 1450, pods 1450',
          hostgw: 'eth0 1500, cni0 1500, pods 1500',
          calico: 'eth0 1500, vxlan.calico 1450, pods 1450',
        }[topology],
      )
      expect(rewrites(inv, 'host-hooks')).toEqual([
        'dnat kube-proxy prerouting output',
        ...[`snat ${owner} postrouting`, 'snat kube-proxy postrouting'].sort((a, b) => a.localeCompare(b, 'en')),
      ])
      expect(rewrites(inv, 'pod-hooks')).toEqual([])
      expect(rewrites(inv, 'tunnel')).toEqual(topology === 'hostgw' ? [] : [`encap ${owner}`])
      expect(inv.unknownChains).toEqual([])
      expect(inv.owners.filter((o) => o.owner.startsWith('unknown'))).toEqual([])
      expect(inv.attachments.length).toBe(8)
      for (const a of inv.attachments) {
        expect(a.why, a.pod).toBeUndefined()
        expect(a.bridge, a.pod).toBe(topology === 'calico' ? undefined : 'cni0')
      }
      for (const line of renderInventory(inv, 'text', { colour: false, links: false, width: 80 }).split('\n'))
        expect(line.length, line).toBeLessThanOrEqual(80)
    } finally {
      await lab.down()
    }
  })
})

test('what somebody else adds is told: a rule on a node, a redirect in a pod, a pod elsewhere', async () => {
  await lab.up({ iptables: 'legacy' })
  try {
    await lab.read('node/node2', 'iptables-legacy', '-t', 'nat', '-N', 'MINE')
    await lab.read('node/node2', 'iptables-legacy', '-t', 'nat', '-A', 'POSTROUTING', '-j', 'MINE')
    await lab.read(
      'node/node2',
      'iptables-legacy',
      '-t',
      'nat',
      '-A',
      'MINE',
      '-s',
      '192.0.2.0/24',
      '-j',
      'SNAT',
      '--to-source',
      '192.0.2.9',
    )
    await lab.read('pod/shop/web-1', 'iptables-legacy', '-t', 'nat', '-N', 'ISTIO_OUTPUT')
    await lab.read(
      'pod/shop/web-1',
      'iptables-legacy',
      '-t',
      'nat',
      '-A',
      'OUTPUT',
      '-p',
      'tcp',
      '--dport',
      '15999',
      '-j',
      'ISTIO_OUTPUT',
    )
    await lab.read(
      'pod/shop/web-1',
      'iptables-legacy',
      '-t',
      'nat',
      '-A',
      'ISTIO_OUTPUT',
      '-p',
      'tcp',
      '-j',
      'REDIRECT',
      '--to-ports',
      '15001',
    )
    const inv = await inventory()
    expect(value(inv, 'proxy-mode')).toBe('iptables (legacy)')
    expect(rewrites(inv, 'host-hooks')).toContain('snat unknown (admin) postrouting')
    expect(rewrites(inv, 'pod-hooks')).toEqual(['redirect Istio output'])
    expect(inv.unknownChains.map((c) => [c.node, c.netns, c.chain])).toEqual([['node2', 'host', 'MINE']])
    const alone = await inventory(true)
    expect(alone.nodes.every((n) => !n.collected)).toBe(true)
    expect(value(alone, 'overlay')).toBe("overlay: VXLAN, as flannel's annotation on the nodes says")
    expect(value(alone, 'proxy-mode')).toBeNull()
    expect(rewrites(alone, 'host-hooks')).toBeUndefined()
  } finally {
    await lab.down()
  }
})
