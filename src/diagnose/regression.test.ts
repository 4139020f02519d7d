import { describe, expect, it } from 'vitest'
import { topology } from '../datapath/testing/topology.ts'
import type { KubeObjects } from '../kubeobj/objects.ts'
import { brokenBy, regressionSet } from './regression.ts'
import { withLink, withLinkUp, withNetns, withoutRoute, withSysctls } from './remedy/edit.ts'
import { OBJECTS, STATE, service } from './testing/cluster.ts'

const network = topology(STATE)

describe('a remedy breaks', () => {
  it('nothing, when it changes nothing', () => {
    expect(
      brokenBy(
        network,
        withNetns(network, 'node1/host', (n) => ({ ...n })),
        OBJECTS,
      ),
    ).toEqual([])
  })

  it.each([
    [
      'routing off',
      withSysctls(network, 'node1/host', { 'net.ipv4.ip_forward': '0', 'net.ipv4.conf.flannel/1.forwarding': '0' }),
    ],
    [
      'the route of the other node',
      withoutRoute(network, 'node1/host', (r) => r.dst.length === 24 && r.nexthops.some((n) => n.gateway)),
    ],
    [
      'a bridge port off',
      withLink(network, 'node1/host', 'veth-web1', (l) => ({ ...l, flags: new Set(['BROADCAST']) })),
    ],
  ])('what passes %s, by name', (_what, after) => {
    const broken = brokenBy(network, after, OBJECTS)
    expect(broken.length).toBeGreaterThan(0)
    expect(broken.length).toBeLessThanOrEqual(3)
    expect(broken.join()).toMatch(/(pod|node)\/.* → (pod|svc|node)\//)
  })

  it('nothing that was broken before', () => {
    const down = withLink(network, 'node1/host', 'veth-web1', (l) => ({ ...l, flags: new Set(['BROADCAST']) }))
    expect(brokenBy(down, withLinkUp(down, 'node1/host', 'veth-web1'), OBJECTS)).toEqual([])
  })
})

describe('the set tried', () => {
  it('covers Services, nodes to pods and pods to pods', () => {
    const set = regressionSet(
      network,
      withNetns(network, 'node1/host', (n) => ({ ...n })),
      OBJECTS,
    )
    expect([...new Set(set.map((q) => q.traffic))]).toEqual(
      expect.arrayContaining(['node-node', 'node-pod', 'pod-pod', 'pod-service', 'node-service', 'outside']),
    )
  })

  it('stays small on a cluster of ten thousand Services', () => {
    const many: KubeObjects = {
      ...OBJECTS,
      services: Array.from({ length: 10_000 }, (_, i) => service(`s${i}`, `10.96.${i >> 8}.${i & 255}`, 80, 8080, {})),
    }
    const set = regressionSet(
      network,
      withNetns(network, 'node1/host', (n) => ({ ...n })),
      many,
    )
    expect(set.length).toBeLessThanOrEqual(120)
    expect(set.filter((q) => q.traffic === 'pod-service').length).toBeGreaterThan(20)
  })
})
