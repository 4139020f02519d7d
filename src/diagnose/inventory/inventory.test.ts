import { describe, expect, it } from 'vitest'
import { topology } from '../../datapath/testing/topology.ts'
import { decodeObjects } from '../../kubeobj/decode.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { Decision, Inventory } from '../../model/inventory.ts'
import type { Network, NetworkNode } from '../../model/network.ts'
import type { CniPlugin } from '../../model/node-files.ts'
import type { Ruleset } from '../../model/ruleset.ts'
import { parseIptablesSave } from '../../parse/iptables/index.ts'
import { parseNftText } from '../../parse/nft/index.ts'
import { OBJECTS, STATE } from '../testing/cluster.ts'
import { takeInventory } from './inventory.ts'
import { narrowTo } from './narrow.ts'

const NOTHING: Network = { nodes: new Map(), netns: new Map(), issues: [], missing: [] }

const save = (text: string, backend: 'iptables-nft' | 'iptables-legacy' = 'iptables-nft') =>
  parseIptablesSave(text, { artefact: 'nodes/node1/host/iptables-save.txt', family: 'ip', backend })
const nft = (text: string) => parseNftText(text, 'nodes/node1/host/nft-ruleset.txt')

const take = (network: Network, objects: KubeObjects = OBJECTS, node?: string) =>
  takeInventory(network, objects, { owners: true, ...(node === undefined ? {} : { node }) })
const of = (inv: Inventory, id: string): Decision => inv.decisions.find((d) => d.id === id)!
const lists = (...values: unknown[]) =>
  decodeObjects([{ artefact: 'objects/all.json', value: { kind: 'List', items: values } }]).value

/** node1 with one peer, node2, whose pods are in 10.244.2.0/24. */
function nodes(facts: string, more: Record<string, readonly Ruleset[]> = {}): Network {
  return topology(
    `netns node1/host\n  eth0 wire 172.30.0.11/24\n  route default via 172.30.0.1 dev eth0\n${facts}\nnetns node2/host\n  eth0 wire 172.30.0.12/24\n`,
    more,
  )
}

describe('pods between nodes', () => {
  const cases: readonly (readonly [string, string, string, string | null])[] = [
    [
      'VXLAN',
      '  flannel.1 vxlan 1 8472 172.30.0.11 10.244.1.0/32\n  route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
      'overlay: VXLAN, VNI 1, UDP 8472 (flannel.1)',
      'flannel',
    ],
    [
      'IPIP',
      '  tunl0 ipip 172.30.0.11 10.244.1.1/32\n  route 10.244.2.0/24 via 172.30.0.12 dev tunl0 onlink',
      'overlay: IPIP (tunl0)',
      null,
    ],
    ['host-gw', '  route 10.244.2.0/24 via 172.30.0.12 dev eth0', 'no overlay: routes to the nodes (host-gw)', null],
    ['a router', '  route 10.244.2.0/24 via 172.30.0.254 dev eth0', 'no overlay: a router, 172.30.0.254', null],
    ['only the default route', '', 'no overlay: the default route (what is outside must know pods)', null],
    ['blackhole', '  route blackhole 10.244.2.0/24', 'blackhole route', null],
  ]
  it.each(cases)('%s', (_, facts, value, owner) => {
    const network = nodes(facts)
    const d = of(takeInventory(network, OBJECTS, { owners: false, node: 'node1' }), 'overlay')
    expect([d.value, d.owner]).toEqual([value, owner])
    expect(d.evidence.length).toBeGreaterThan(0)
  })

  it('a tunl0 that no route uses says nothing of Calico', () => {
    const inv = take(nodes('  tunl0 ipip\n  route 10.244.2.0/24 via 172.30.0.12 dev eth0'), OBJECTS, 'node1')
    expect(of(inv, 'cni').state).toBe('unknown')
    expect(of(inv, 'overlay').state).toBe('absent')
  })

  it('routes not collected are unknown, not absent', () => {
    const d = of(take(nodes('  unknown routes'), OBJECTS, 'node1'), 'overlay')
    expect([d.state, d.value]).toEqual(['unknown', null])
    expect(d.why).toContain('routes of node1/host')
  })

  it('nodes that differ are told apart', () => {
    const text = STATE.replace(
      '  route 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink\n',
      '  route 10.244.1.0/24 via 172.30.0.11 dev eth0\n',
    )
    const d = of(take(topology(text)), 'overlay')
    expect(d.state).toBe('mixed')
    expect(d.groups.map((g) => [g.nodes, g.value])).toEqual([
      [['node1'], 'overlay: VXLAN, VNI 1, UDP 8472 (flannel.1)'],
      [['node2'], 'no overlay: routes to the nodes (host-gw)'],
    ])
  })
})

describe('Services', () => {
  const SERVICES = '*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n-A PREROUTING -j KUBE-SERVICES\nCOMMIT\n'
  const TABLE = 'table ip kube-proxy {\n\tchain services {\n\t}\n}\n'
  const modes: readonly (readonly [string, readonly Ruleset[], string])[] = [
    ['iptables-nft', [save(SERVICES)], 'iptables (nf_tables)'],
    ['iptables-legacy', [save(SERVICES, 'iptables-legacy')], 'iptables (legacy)'],
    ['nftables', [nft(TABLE)], 'nftables'],
    ['left over beside nftables', [save(SERVICES), nft(TABLE)], 'iptables (nf_tables) and nftables'],
    ['nothing', [], 'nothing programs Services'],
  ]
  it.each(modes)('%s', (_, rulesets, value) => {
    const network = nodes('', { 'node1/host': rulesets })
    expect(of(take(network, OBJECTS, 'node1'), 'proxy-mode').value).toBe(value)
  })

  it('IPVS keeps its chains in iptables and is still IPVS', () => {
    const network = nodes('  kube-ipvs0 dummy 10.96.0.1/32', { 'node1/host': [save(SERVICES)] })
    expect(of(take(network, OBJECTS, 'node1'), 'proxy-mode').value).toBe('IPVS')
  })

  it('rules not collected are unknown', () => {
    expect(of(take(nodes('  unknown iptables'), OBJECTS, 'node1'), 'proxy-mode').state).toBe('unknown')
  })
})

describe('CNI', () => {
  const plugin = (p: Partial<CniPlugin> & { type: string }): CniPlugin => ({
    subnets: [],
    gateways: [],
    capabilities: [],
    ...p,
  })
  const withConfig = (network: Network, plugins: readonly CniPlugin[]): Network => {
    const evidence = { artefact: 'nodes/node1/cni/10-x.conflist', text: 'x' }
    const node: NetworkNode = {
      ...network.nodes.get('node1')!,
      files: {
        logs: [],
        cniConfigs: [
          { name: '05-broken.conflist', config: null, broken: 'not JSON', evidence },
          { name: '10-x.conflist', config: { name: 'cbr0', cniVersion: '1.0.0', plugins }, evidence },
        ],
      },
    }
    return { ...network, nodes: new Map([['node1', node]]) }
  }

  it('the chain of the first valid configuration', () => {
    const inv = take(
      withConfig(nodes(''), [
        plugin({ type: 'flannel', delegate: plugin({ type: 'bridge' }) }),
        plugin({ type: 'portmap' }),
        plugin({ type: 'bandwidth' }),
      ]),
      OBJECTS,
      'node1',
    )
    expect(of(inv, 'cni')).toMatchObject({
      value: 'flannel (delegates to bridge) → portmap → bandwidth',
      owner: 'flannel',
    })
    expect(of(inv, 'ipam').value).toBe('host-local')
    expect(of(inv, 'bandwidth').value).toBe('bandwidth plugin in the CNI chain')
  })

  it('the bridge plugin belongs to whom the signs on the node name', () => {
    const network = nodes('  kube-bridge bridge 10.244.1.1/24')
    const inv = take(withConfig(network, [plugin({ type: 'bridge', ipamType: 'host-local' })]), OBJECTS, 'node1')
    expect(of(inv, 'cni')).toMatchObject({ value: 'bridge', owner: 'kube-router' })
  })
})

describe('objects alone', () => {
  const pod = (namespace: string, name: string, labels: Record<string, string>, image: string) => ({
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { namespace, name, labels },
    spec: { nodeName: 'node1', containers: [{ name: 'a', image }] },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  })
  const map = (name: string, data: Record<string, string>) => ({
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { namespace: 'kube-system', name },
    data,
  })

  const cases: readonly (readonly [string, unknown, string, string | null])[] = [
    [
      'overlay',
      map('kube-flannel-cfg', { 'net-conf.json': '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}' }),
      'overlay: VXLAN, as ConfigMap kube-flannel-cfg says',
      'flannel',
    ],
    [
      'overlay',
      {
        kind: 'IPPool',
        apiVersion: 'crd.projectcalico.org/v1',
        metadata: { name: 'p' },
        spec: { cidr: '10.244.0.0/16', ipipMode: 'CrossSubnet', vxlanMode: 'Never' },
      },
      'overlay: IPIP between subnets only, as IPPool p says',
      'Calico',
    ],
    [
      'overlay',
      map('cilium-config', { 'routing-mode': 'native' }),
      'no overlay: native routing, as ConfigMap cilium-config says',
      'Cilium',
    ],
    [
      'pod-cidr',
      {
        kind: 'IPPool',
        apiVersion: 'crd.projectcalico.org/v1',
        metadata: { name: 'p' },
        spec: { cidr: '10.10.0.0/16' },
      },
      '10.10.0.0/16 (IP pools)',
      null,
    ],
    [
      'service-cidr',
      {
        kind: 'ServiceCIDR',
        apiVersion: 'networking.k8s.io/v1',
        metadata: { name: 'kubernetes' },
        spec: { cidrs: ['10.96.0.0/12'] },
      },
      '10.96.0.0/12',
      null,
    ],
    [
      'proxy-mode',
      map('kube-proxy', { 'config.conf': 'kind: KubeProxyConfiguration\nmode: "ipvs"\n' }),
      'IPVS, as ConfigMap kube-proxy says',
      'kube-proxy',
    ],
    [
      'proxy-mode',
      map('kube-proxy', { 'config.conf': 'mode: ""\n' }),
      'iptables (the default), as ConfigMap kube-proxy says',
      'kube-proxy',
    ],
    [
      'cni',
      pod('kube-system', 'calico-node-x', { 'k8s-app': 'calico-node' }, 'quay.io/calico/node:v3.29.1'),
      'Calico, by its pods',
      'Calico',
    ],
    [
      'policy-enforcer',
      pod('kube-system', 'calico-node-x', { 'k8s-app': 'calico-node' }, 'quay.io/calico/node:v3.29.1'),
      'enforced by Calico, policies not collected',
      'Calico',
    ],
    [
      'ingress',
      pod('ingress-nginx', 'c', { 'app.kubernetes.io/name': 'ingress-nginx' }, 'x/controller:v1'),
      'ingress-nginx (1 of 1 pod ready)',
      'ingress-nginx',
    ],
    [
      'ingress',
      {
        kind: 'GatewayClass',
        apiVersion: 'gateway.networking.k8s.io/v1',
        metadata: { name: 'x' },
        spec: { controllerName: 'example.com/gw' },
      },
      'class of example.com/gw',
      'example.com/gw',
    ],
    [
      'dns',
      pod('kube-system', 'coredns-1', { 'k8s-app': 'kube-dns' }, 'registry.k8s.io/coredns/coredns:v1.11'),
      'CoreDNS (1 of 1 pod ready) without a Service',
      'CoreDNS',
    ],
    ['mesh', pod('istio-system', 'istiod-1', { app: 'istiod' }, 'docker.io/istio/pilot:1.24'), 'Istio', 'Istio'],
  ]
  it.each(cases)('%s', (id, object, value, owner) => {
    const d = of(take(NOTHING, lists(object)), id)
    expect([d.value, d.owner]).toEqual([value, owner])
    expect(d.evidence.length).toBeGreaterThan(0)
  })

  it("an application's label does not make it an ingress controller", () => {
    const d = of(take(NOTHING, lists(pod('shop', 'traefik', { app: 'traefik' }, 'x/shop:1'))), 'ingress')
    expect(d.state).toBe('absent')
  })

  it('with nothing at all everything is unknown, with a reason', () => {
    const inv = take(NOTHING, lists())
    for (const d of inv.decisions) {
      expect([d.id, d.state, d.value]).toEqual([d.id, 'unknown', null])
      expect(d.why).not.toBe('')
    }
  })

  it('LoadBalancer Services without an address are counted', () => {
    const svc = (name: string, ingress: unknown[]) => ({
      kind: 'Service',
      apiVersion: 'v1',
      metadata: { namespace: 'shop', name },
      spec: { type: 'LoadBalancer', clusterIPs: ['10.96.0.9'], ports: [] },
      status: { loadBalancer: { ingress } },
    })
    const objects = lists(
      svc('a', [{ ip: '192.0.2.1' }]),
      svc('b', []),
      pod('metallb-system', 'speaker', { app: 'metallb' }, 'quay.io/metallb/speaker:v0.14'),
    )
    expect(of(take(NOTHING, objects), 'load-balancer').value).toBe('MetalLB, 2 Services, 1 without an address')
  })
})

describe('rewrite points', () => {
  const RULES = `*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-AAAAAAAAAAAAAAAA - [0:0]
:KUBE-SEP-AAAAAAAAAAAAAAAA - [0:0]
:ORPHAN - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A KUBE-SERVICES -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-AAAAAAAAAAAAAAAA
-A KUBE-SVC-AAAAAAAAAAAAAAAA -j KUBE-SEP-AAAAAAAAAAAAAAAA
-A KUBE-SEP-AAAAAAAAAAAAAAAA -p tcp -m tcp -j DNAT --to-destination 10.244.1.20:8080
-A ORPHAN -j REDIRECT --to-ports 1
COMMIT
`
  const ISTIO =
    '*nat\n:OUTPUT ACCEPT [0:0]\n:ISTIO_OUTPUT - [0:0]\n-A OUTPUT -p tcp -j ISTIO_OUTPUT\n-A ISTIO_OUTPUT -p tcp -j REDIRECT --to-ports 15001\nCOMMIT\n'
  const inv = take(topology(STATE, { 'node1/host': [save(RULES)], 'node1/pod/default/web1': [save(ISTIO)] }))
  const at = (place: string) =>
    inv.path
      .find((p) => p.place === place)!
      .rewrites!.map((r) => [r.kind, r.owner, r.hooks.join(' '), r.nodes.join(' '), r.pods.join(' ')])

  it('on the host, by owner and hook; a chain nobody jumps to does nothing', () => {
    expect(at('host-hooks')).toEqual([
      ['dnat', 'kube-proxy', 'prerouting output', 'node1', ''],
      ['snat', 'docker', 'postrouting', 'node1', ''],
    ])
  })
  it('in the pod', () => {
    expect(at('pod-hooks')).toEqual([['redirect', 'Istio', 'output', 'node1', 'default/web1']])
    expect(of(inv, 'mesh').value).toBe('Istio (redirect rules in 1 pod)')
  })
  it('in the tunnel', () => {
    expect(at('tunnel')).toEqual([['encap', 'flannel', '', 'node1 node2', '']])
  })
  it('rules that were not collected are null, not none', () => {
    const dark = take(topology(STATE.replaceAll('  sysctl net.ipv4.ip_forward 1', '  unknown iptables\n  unknown nft')))
    expect(dark.path.find((p) => p.place === 'host-hooks')!.rewrites).toBeNull()
  })
  it('counts chains and rules of each owner, and names chains of nobody', () => {
    expect(inv.owners.filter((o) => o.netns === 'host').map((o) => [o.owner, o.chains, o.rules])).toEqual([
      ['kube-proxy', 3, 5],
      ['docker', 0, 1],
      ['unknown (admin)', 0, 1],
    ])
    expect(inv.unknownChains.map((c) => [c.node, c.chain])).toEqual([['node1', 'ORPHAN']])
  })
})

describe('links', () => {
  it('pod, veth and bridge', () => {
    const inv = take(topology(STATE))
    expect(inv.attachments.map((a) => [a.pod, a.node, a.link, a.hostLink, a.bridge, a.mtu])).toEqual([
      ['default/client1', 'node1', 'eth0', 'veth-client1', 'cni0', 1450],
      ['default/web1', 'node1', 'eth0', 'veth-web1', 'cni0', 1450],
      ['default/web2', 'node2', 'eth0', 'veth-web2', 'cni0', 1450],
    ])
  })
  it('a pod whose netns was not found is in the map with the reason', () => {
    const inv = take(topology(STATE.slice(0, STATE.indexOf('netns node2/pod/default/web2'))))
    expect(inv.attachments.find((a) => a.pod === 'default/web2')).toMatchObject({
      netns: null,
      why: 'its netns was not found',
    })
  })
})

describe('one node or one pod of it', () => {
  const inv = take(topology(STATE))
  it.each([
    ['node1', ['default/client1', 'default/web1'], ['host', 'pod/default/client1', 'pod/default/web1']],
    ['node/node2', ['default/web2'], ['host', 'pod/default/web2']],
    ['pod/default/web1', ['default/web1'], ['host', 'pod/default/web1']],
    ['default/web1', ['default/web1'], ['host', 'pod/default/web1']],
  ])('%s', (reference, pods, netns) => {
    const part = narrowTo(inv, reference)!
    expect(part.attachments.map((a) => a.pod)).toEqual(pods)
    expect([...new Set(part.interfaces.map((i) => i.netns))].sort()).toEqual(netns)
  })
  it('of the host a pod has only its veth and bridge', () => {
    const host = narrowTo(inv, 'default/web1')!.interfaces.filter((i) => i.netns === 'host')
    expect(host.map((i) => i.name)).toEqual(['cni0', 'veth-web1'])
  })
  it('an unknown name is null', () => expect(narrowTo(inv, 'node9')).toBeNull())
})

describe('eBPF data planes', () => {
  const CILIUM = `  cilium_host dummy 10.244.1.1/32\n  cilium_vxlan vxlan 1 8472 172.30.0.11\n  route 10.244.2.0/24 via 10.244.1.1 dev cilium_host`
  it('Cilium: the tunnel behind cilium_host, Services and policy without chains', () => {
    const inv = take(nodes(CILIUM), OBJECTS, 'node1')
    expect(of(inv, 'overlay')).toMatchObject({
      value: 'overlay: VXLAN, VNI 1, UDP 8472 (cilium_vxlan)',
      owner: 'Cilium',
    })
    expect(of(inv, 'proxy-mode')).toMatchObject({
      value: "by Cilium's own data plane: no rules of kube-proxy are here",
      owner: 'Cilium',
    })
    expect(of(inv, 'policy-enforcer').owner).toBe('Cilium')
    expect(of(inv, 'cni').owner).toBe('Cilium')
    expect(inv.layers.find((l) => l.id === 'forwarding-plane')?.text).toBe('eBPF programs (Cilium)')
  })
  it('beside kube-proxy its rules are what programs Services', () => {
    const rules = save('*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\nCOMMIT\n')
    expect(of(take(nodes(CILIUM, { 'node1/host': [rules] }), OBJECTS, 'node1'), 'proxy-mode').owner).toBe('kube-proxy')
  })
})

describe('MTU', () => {
  const alone = STATE.slice(0, STATE.indexOf('netns node2/pod/default/web2')).replace(/ {2}veth-web2 .*\n/, '')
  it('a node without pods does not differ', () => {
    const d = of(take(topology(alone)), 'mtu')
    expect([d.state, d.value]).toEqual(['present', 'eth0 1500, flannel.1 1450, cni0 1450, pods 1450'])
  })
  it('a node without the tunnel does', () => {
    const d = of(take(topology(alone.replace(/ {2}flannel\.1 vxlan 1 8472 172\.30\.0\.12 .*\n/, ''))), 'mtu')
    expect(d.groups.map((g) => g.value)).toEqual([
      'eth0 1500, flannel.1 1450, cni0 1450, pods 1450',
      'eth0 1500, cni0 1450',
    ])
  })
})

describe('many nodes', () => {
  const many = (different: number) =>
    topology(
      Array.from({ length: 100 }, (_, i) => {
        const n = i + 1
        const route = n === different ? '' : `  route 10.244.0.0/16 via 172.30.0.254 dev eth0\n`
        return `netns node${n}/host\n  eth0 wire 172.30.0.${n}/24 mtu ${n === different ? 1400 : 1500}\n${route}  route default via 172.30.0.1 dev eth0\n`
      }).join(''),
    )
  const objects: KubeObjects = {
    ...OBJECTS,
    pods: [],
    nodes: Array.from({ length: 100 }, (_, i) => ({
      ...OBJECTS.nodes[0]!,
      meta: { ...OBJECTS.nodes[0]!.meta, name: `node${i + 1}` },
      podCIDRs: [`10.244.${i + 1}.0/24`],
      addresses: [{ type: 'InternalIP', address: `172.30.0.${i + 1}` }],
    })),
  }
  it('equal facts stand together, who differs is named', () => {
    const d = of(takeInventory(many(7), objects, { owners: false }), 'mtu')
    expect(d.groups.map((g) => [g.value, g.nodes.length, g.nodes.length === 1 ? g.nodes[0] : ''])).toEqual([
      ['eth0 1500', 99, ''],
      ['eth0 1400', 1, 'node7'],
    ])
    expect(d.value).toBe('eth0 1500 (99 nodes); eth0 1400 (node7)')
  })
})
