import { describe, expect, it } from 'vitest'
import { topology } from '../../../datapath/testing/topology.ts'
import { conclude, inquire } from '../../diagnose.ts'
import { ask } from '../../question/ask.ts'
import { objectsOf, podItem, serviceItem, sliceItem } from '../../testing/manifests.ts'

const STATE = `netns node1/host
  eth0 wire 192.168.50.11/24
  cni0 bridge 10.244.1.1/24
  veth-client veth node1/pod/tools/client:eth0 master cni0
  veth-api veth node1/pod/shop/api:eth0 master cni0
  sysctl net.ipv4.ip_forward 1
  sysctl net.bridge.bridge-nf-call-iptables 0
netns node1/pod/tools/client
  eth0 veth node1/host:veth-client 10.244.1.10/24
  route default via 10.244.1.1 dev eth0
netns node1/pod/shop/api
  eth0 veth node1/host:veth-api 10.244.1.20/24
  listen tcp 0.0.0.0:8080
`
const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node1' }, spec: { podCIDR: '10.244.1.0/24' } }
const ns = (name: string) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })

function answer(to: string, client: object = {}) {
  const objects = objectsOf([
    node,
    ns('shop'),
    ns('tools'),
    podItem('client', { ns: 'tools', ip: '10.244.1.10', spec: { dnsPolicy: 'ClusterFirst', ...client } }),
    podItem('api', { ns: 'shop', ip: '10.244.1.20', labels: { app: 'api' } }),
    // Headless: the name leads to the pod, so that no proxy rules are needed.
    serviceItem('api', { clusterIP: 'None', selector: { app: 'api' }, ports: [{ port: 8080 }] }, { ns: 'shop' }),
    sliceItem('api', 8080, [['10.244.1.20', 'node1', true, 'api']], { ns: 'shop' }),
  ])
  const network = topology(STATE)
  const asked = ask(network, objects, { from: 'pod/tools/client', to, protocol: 'tcp', namespace: 'tools' })
  return conclude(inquire(network, objects, asked), asked)
}

describe('a question by name', () => {
  const cases: Record<string, [string, object, string, string | null]> = {
    'with its namespace': ['host:api.shop:8080', {}, 'reachable', null],
    'in full': ['host:api.shop.svc.cluster.local:8080', {}, 'reachable', null],
    'without its namespace': ['host:api:8080', {}, 'unreachable', 'dns-name-wrong'],
    misspelled: ['host:apy.shop:8080', {}, 'unreachable', 'dns-name-wrong'],
    'of no Service anywhere': ['host:nothing:8080', {}, 'unreachable', 'dns-name-wrong'],
    'of somebody outside': ['host:www.example.com:443', {}, 'unknown', null],
    "asked of the node's resolvers": [
      'host:api.shop:8080',
      { dnsPolicy: 'Default' },
      'unreachable',
      'dns-policy-not-cluster',
    ],
  }
  it.each(Object.entries(cases))('%s', (_name, [to, client, verdict, cause]) => {
    const a = answer(to, client)
    expect([a.verdict, a.rootCause]).toEqual([verdict, cause])
    if (cause !== null) expect(a.missing).toEqual([])
  })
  it('says the name that works', () => {
    expect(answer('host:api:8080').findings[0]?.remedy?.text).toBe('Ask for api.shop (or api.shop.svc.cluster.local).')
  })
})
