/** What kube-proxy writes for any Services at all is never taken for a difference; what it did not see always is. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { endpoint, type Mode, objects, service, slice, world } from '../../../test/kube-proxy/world.ts'
import type { EndpointSliceObject, KubeObjects, ServiceObject } from '../../kubeobj/objects.ts'
import { compareNode } from './compare.ts'

const MODES: readonly Mode[] = ['iptables', 'nftables', 'ipvs']

const endpoints = fc.uniqueArray(
  fc.record({
    address: fc
      .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 10, max: 16 }))
      .map(([n, i]) => `10.244.${n}.${i}`),
    state: fc.constantFrom('ready', 'ready', 'ready', 'not-ready', 'draining', 'terminating'),
    zone: fc.constantFrom([], [], ['a'], ['b']),
  }),
  { selector: (e) => e.address, maxLength: 5 },
)

const sets = fc.record({
  type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer'),
  external: fc.constantFrom('Cluster', 'Local'),
  internal: fc.constantFrom('Cluster', 'Cluster', 'Local'),
  affinity: fc.constantFrom('None', 'ClientIP'),
  protocol: fc.constantFrom('TCP', 'UDP', 'SCTP'),
  ranges: fc.constantFrom<string[]>([], ['203.0.113.0/25'], ['172.30.0.0/24', '203.0.113.0/25']),
  ipMode: fc.constantFrom('VIP', 'Proxy'),
  externalIPs: fc.boolean(),
  endpoints,
})

interface Drawn {
  readonly type: string
  readonly external: string
  readonly internal: string
  readonly affinity: string
  readonly protocol: string
  readonly ranges: readonly string[]
  readonly ipMode: string
  readonly externalIPs: boolean
  readonly endpoints: readonly { readonly address: string; readonly state: string; readonly zone: readonly string[] }[]
}

function clusterOf(list: readonly Drawn[]): KubeObjects {
  const services: ServiceObject[] = []
  const slices: EndpointSliceObject[] = []
  list.forEach((x, i) => {
    const port = { name: 'http', port: 80, protocol: x.protocol, targetPort: 8080 }
    services.push(
      service(`s${i}`, `10.96.1.${i + 1}`, {
        type: x.type,
        ports: [x.type === 'ClusterIP' ? port : { ...port, nodePort: 30000 + i }],
        externalTrafficPolicy: x.external,
        internalTrafficPolicy: x.internal,
        sessionAffinity: x.affinity,
        externalIPs: x.externalIPs ? [`192.0.2.${i + 1}`] : [],
        loadBalancerSourceRanges: x.ranges,
        loadBalancerIngress: x.type === 'LoadBalancer' ? [{ ip: `198.51.100.${i + 1}`, ipMode: x.ipMode }] : [],
      }),
    )
    const one = slice(
      `s${i}`,
      x.endpoints.map((e) =>
        endpoint(e.address, {
          ready: e.state === 'ready',
          serving: e.state === 'ready' || e.state === 'draining',
          terminating: e.state === 'draining' || e.state === 'terminating',
          hintZones: e.zone,
        }),
      ),
    )
    slices.push({ ...one, ports: [{ name: 'http', port: 8080, protocol: x.protocol }] })
  })
  return objects(services, slices)
}

test.each(MODES)(
  '%s: no difference on a node that follows',
  (mode) => {
    fc.assert(
      fc.property(fc.array(sets, { minLength: 1, maxLength: 4 }), (list) => {
        const all = clusterOf(list)
        const network = world([{ saw: all, mode }])
        expect(
          compareNode(network, all, 'node1')?.differences.map((d) => [
            d.service.service,
            d.frontend.kind,
            d.lead.targets.map((t) => t.text),
          ]),
        ).toEqual([])
      }),
      { numRuns: 25, seed: 20261121 },
    )
  },
  30_000,
)

test.each(MODES)(
  '%s: an endpoint the node did not see is missed, one that went is seen',
  (mode) => {
    fc.assert(
      fc.property(fc.array(sets, { minLength: 1, maxLength: 3 }), fc.integer({ min: 0, max: 4 }), (list, pick) => {
        const plain = list.map((x) => ({
          ...x,
          internal: 'Cluster',
          endpoints: x.endpoints.map((e) => ({ ...e, state: 'ready', zone: [] as string[] })),
        }))
        const first = plain[0]!
        if (first.endpoints.length < 2) return
        const out = first.endpoints[pick % first.endpoints.length]!
        const fewer = [{ ...first, endpoints: first.endpoints.filter((e) => e !== out) }, ...plain.slice(1)]
        const full = clusterOf(plain)
        const less = clusterOf(fewer)
        const ofFirst = (saw: KubeObjects, said: KubeObjects) =>
          compareNode(world([{ saw, mode }]), said, 'node1')?.differences.find((d) => d.frontend.kind === 'clusterIP')
        expect(ofFirst(less, full)?.lacks.map((e) => e.address)).toEqual([out.address])
        const went = ofFirst(full, less)
        expect(went?.strays.map((t) => t.text)).toEqual([`${out.address}:8080`])
        expect(went?.strays[0]?.share).toBeCloseTo(1 / first.endpoints.length)
      }),
      { numRuns: 20, seed: 20261121 },
    )
  },
  30_000,
)
