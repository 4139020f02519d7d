/** The real programs load every rendering, twice, and show it back. */
import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import type { EndpointSliceObject, KubeObjects, ServiceObject } from '../../kubeobj/objects.ts'
import { expectedServices } from './expected.ts'
import { renderIptables } from './iptables.ts'
import { renderNft } from './nft.ts'

const evidence = { artefact: 'test', line: 1, text: '', source: '' }
const meta = (name: string) => ({ name, namespace: 'ns', uid: '', labels: {}, annotations: {}, owners: [] })

let number = 0
function service(name: string, over: Partial<ServiceObject>): ServiceObject {
  number++
  return {
    meta: meta(name),
    evidence,
    type: 'ClusterIP',
    clusterIPs: [`10.96.1.${number}`, `fd00:96::${number}`],
    externalIPs: [],
    ports: [{ name: 'p', port: 80, protocol: 'TCP', targetPort: 8080 }],
    selector: null,
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    sessionAffinity: 'None',
    sessionAffinityTimeout: 10800,
    loadBalancerSourceRanges: [],
    loadBalancerIngress: [],
    ipFamilies: ['IPv4', 'IPv6'],
    publishNotReadyAddresses: false,
    ...over,
  }
}

function slices(name: string, protocol = 'TCP'): EndpointSliceObject[] {
  return ([4, 6] as const).map((f) => ({
    meta: meta(`${name}-${f}`),
    evidence,
    serviceName: name,
    addressType: `IPv${f}`,
    ports: [{ name: 'p', port: 8080, protocol }],
    endpoints: [1, 2, 3].map((n) => ({
      addresses: [f === 4 ? `10.244.${n}.7` : `fd00:10:244:${n}::7`],
      ready: true,
      serving: true,
      terminating: false,
      nodeName: `node${n}`,
      hintZones: [],
      hintNodes: [],
    })),
  }))
}

const nodePort = (port: number, protocol = 'TCP') => [
  { name: 'p', port: 80, protocol, targetPort: 8080, nodePort: port },
]
const services = [
  service('plain', {}),
  service('sticky', { sessionAffinity: 'ClientIP' }),
  service('none', { type: 'NodePort', ports: nodePort(30001), externalIPs: ['192.0.2.1', '2001:db8::1'] }),
  service('local', { type: 'NodePort', ports: nodePort(30002), externalTrafficPolicy: 'Local' }),
  service('inner', { internalTrafficPolicy: 'Local' }),
  service('rival', { type: 'NodePort', ports: nodePort(30002), externalIPs: ['192.0.2.1', '2001:db8::1'] }),
  service('udp', { type: 'NodePort', ports: nodePort(30003, 'UDP') }),
  service('sctp', { ports: [{ name: 'p', port: 80, protocol: 'SCTP', targetPort: 8080 }] }),
  service('lb', {
    type: 'LoadBalancer',
    ports: nodePort(30004),
    loadBalancerIngress: [{ ip: '198.51.100.1' }, { ip: '2001:db8::2' }],
    loadBalancerSourceRanges: ['203.0.113.0/25', '172.30.0.0/16', '2001:db8:1::/64'],
    sessionAffinity: 'ClientIP',
  }),
  service('health', {
    type: 'LoadBalancer',
    ports: nodePort(30005),
    loadBalancerIngress: [{ ip: '198.51.100.9' }],
    externalTrafficPolicy: 'Local',
    healthCheckNodePort: 30006,
  }),
]
const objects: KubeObjects = {
  nodes: [],
  pods: [],
  services,
  endpointSlices: [
    ...['plain', 'sticky', 'local', 'rival', 'inner', 'lb', 'health'].flatMap((n) => slices(n)),
    ...slices('udp', 'UDP'),
    ...slices('sctp', 'SCTP'),
  ],
  namespaces: [],
  events: [],
  others: [],
  known: new Set(),
}
const options = {
  nodeIPs: ['172.30.0.11', 'fd00:172:30::11'],
  clusterCIDRs: ['10.244.0.0/16', 'fd00:10:244::/48'],
  serviceCIDRs: ['10.96.0.0/12', 'fd00:96::/112'],
}

/** Runs shell lines in a network namespace that ends with them. */
function alone(script: string): string {
  const r = spawnSync('unshare', ['-n', 'bash', '-eu', '-o', 'pipefail', '-s'], { input: script, encoding: 'utf8' })
  expect(r.stderr).toBe('')
  expect(r.status).toBe(0)
  return r.stdout
}

describe.each([4, 6] as const)('IPv%i', (family) => {
  const expected = expectedServices(objects, 'node1')
  const tool = family === 4 ? 'iptables' : 'ip6tables'

  test.each(['nft', 'legacy'])('iptables-%s', (backend) => {
    const first = renderIptables(expected, family, options, { jumps: true })
    const again = renderIptables(expected, family, options, { jumps: false, stale: first.chains })
    const empty = renderIptables([], family, options, { jumps: false, stale: first.chains })
    const load = (text: string) => `${tool}-${backend}-restore --noflush -w 5 <<'END'\n${text}END\n`
    const save = `${tool}-${backend}-save | grep -v '^#'\n`
    const out = alone(
      `${load(first.text)}${save}echo ==\n${load(again.text)}${save}echo ==\n${load(empty.text)}${save}`,
    )
    const [one, two, three] = out.split('==\n') as [string, string, string]
    expect(two).toBe(one)
    for (const chain of first.chains) expect(one).toContain(`:${chain} `)
    expect(three).not.toMatch(/KUBE-(SVC|SEP|EXT|FW|SVL)-/)
    const jumps = one.split('\n').filter((l) => l.startsWith('-A INPUT'))
    expect(jumps.map((l) => / -j (\S+)/.exec(l)![1])).toEqual([
      'KUBE-FIREWALL',
      'KUBE-PROXY-FIREWALL',
      'KUBE-NODEPORTS',
      'KUBE-EXTERNAL-SERVICES',
    ])
    expect(one).toMatch(/-m statistic --mode random --probability 0\.3333333\d+ -j KUBE-SEP-/)
  })

  test('nftables', () => {
    const text = renderNft(expected, family, options)
    const out = alone(`for i in 1 2; do nft -f - <<'END'\n${text}END\ndone\nnft list ruleset`)
    expect(out.match(/^table/gm)).toHaveLength(1)
    for (const name of ['plain', 'sticky', 'local', 'inner', 'udp', 'sctp', 'lb']) expect(out).toContain(`/${name}/`)
    expect(out).toContain('numgen random mod 3 vmap')
  })
})
