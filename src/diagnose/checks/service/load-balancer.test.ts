import { describe, expect, it } from 'vitest'
import { brief, podItem, serviceItem, stateOf } from '../../testing/manifests.ts'
import { loadBalancerHairpin, loadBalancerPending } from './load-balancer.ts'

const S = 'Service default/web'
const lb = (status: object[], annotations: object = {}) =>
  serviceItem(
    'web',
    { type: 'LoadBalancer', selector: { app: 'web' }, ports: [{ port: 80, nodePort: 30080 }] },
    { metadata: { annotations }, status: { loadBalancer: { ingress: status } } },
  )
const metallb = (ready = true) =>
  podItem('controller-x', {
    ns: 'metallb-system',
    ready,
    containers: [{ name: 'controller', image: 'quay.io/metallb/controller:v0.14' }],
  })
const event = {
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: 'e', namespace: 'default' },
  type: 'Warning',
  reason: 'AllocationFailed',
  message: 'Failed to allocate IP for "default/web": no available IPs',
  involvedObject: { kind: 'Service', name: 'web', namespace: 'default' },
}
const NLB = 'service.beta.kubernetes.io/aws-load-balancer-'
const proxied = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'nginx', namespace: 'default' },
  data: { 'use-proxy-protocol': 'true' },
}
const HETZNER = { 'load-balancer.hetzner.cloud/uses-proxyprotocol': 'true' }

describe('load balancers', () => {
  const cases: Record<string, [readonly object[], readonly string[]]> = {
    'it has an address': [[lb([{ ip: '192.0.2.9' }]), metallb()], []],
    'F107 nobody gives one': [[lb([])], [`error lb-pending ${S}`]],
    'F107 the pool is used up': [[lb([]), metallb(), event], [`error lb-pending ${S}`]],
    'the provider is down': [[lb([]), metallb(false)], [`error lb-pending ${S}`]],
    'it may come yet': [[lb([]), metallb()], [`warning lb-pending ${S}`]],
    'F109 an NLB that keeps the client address': [
      [
        lb([{ hostname: 'x.elb.amazonaws.com' }], {
          [`${NLB}type`]: 'external',
          [`${NLB}nlb-target-type`]: 'ip',
          [`${NLB}target-group-attributes`]: 'preserve_client_ip.enabled=true',
        }),
      ],
      [`info lb-hairpin ${S}`],
    ],
    'an NLB with IP targets does not': [
      [lb([{ hostname: 'x.elb.amazonaws.com' }], { [`${NLB}type`]: 'external', [`${NLB}nlb-target-type`]: 'ip' })],
      [],
    ],
    'an NLB with instance targets does': [
      [lb([{ hostname: 'x.elb.amazonaws.com' }], { [`${NLB}type`]: 'nlb' })],
      [`info lb-hairpin ${S}`],
    ],
    'the PROXY header is lost inside': [[lb([{ ip: '192.0.2.9' }], HETZNER), proxied], [`info lb-hairpin ${S}`]],
    'ipMode Proxy keeps it': [[lb([{ ip: '192.0.2.9', ipMode: 'Proxy' }], HETZNER), proxied], []],
  }
  it.each(Object.entries(cases))('%s', (_name, [items, expected]) => {
    expect(brief([...loadBalancerPending.find(stateOf(items)), ...loadBalancerHairpin.find(stateOf(items))])).toEqual(
      expected,
    )
  })
})
