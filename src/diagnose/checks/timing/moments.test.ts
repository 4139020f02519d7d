import { describe, expect, it } from 'vitest'
import { parseIp } from '../../../base/ip.ts'
import { topology } from '../../../datapath/testing/topology.ts'
import type { ConntrackEntry } from '../../../model/conntrack.ts'
import type { Network } from '../../../model/network.ts'
import { brief, NO_NETWORK, podItem, serviceItem, sliceItem, stateOf } from '../../testing/manifests.ts'
import { MOMENT_CHECKS } from './moments.ts'

const found = (items: readonly object[], network: Network) =>
  brief(MOMENT_CHECKS.flatMap((c) => c.find(stateOf(items, network))))

describe('F115 rollouts', () => {
  const web2 = (o: { deleted?: boolean; preStop?: boolean } = {}) =>
    podItem('web2', {
      ip: '10.244.2.20',
      metadata: o.deleted === false ? {} : { deletionTimestamp: '2026-01-01T12:00:01Z' },
      containers: [
        { name: 'app', ...(o.preStop ? { lifecycle: { preStop: { exec: { command: ['sleep', '10'] } } } } : {}) },
      ],
    })
  const controller = podItem('ctl', { ns: 'ingress-nginx', labels: { 'app.kubernetes.io/name': 'ingress-nginx' } })
  const logged = (time: string, ip = '10.244.2.20'): Network => ({
    ...NO_NETWORK,
    nodes: new Map([
      [
        'n',
        {
          name: 'n',
          pods: [],
          files: {
            logs: [
              {
                namespace: 'ingress-nginx',
                pod: 'ctl',
                container: 'c',
                lines: [
                  {
                    artefact: 'log',
                    line: 1,
                    text: `2026/01/01 ${time} [error] 31#31: *7 connect() failed (111: Connection refused) while connecting to upstream, upstream: "http://${ip}:8080/", host: "x"`,
                  },
                ],
              },
            ],
          },
        },
      ],
    ]),
  })
  const slice = sliceItem('web', 8080, [['10.244.2.20', 'node2', true, 'web2']])
  const cases: Record<string, [readonly object[], Network, readonly string[]]> = {
    'refused just after the deletion': [
      [web2(), controller],
      logged('12:00:03'),
      ['warning rollout-race Pod default/web2'],
    ],
    'refused an hour later': [[web2(), controller], logged('13:00:03'), []],
    'somebody else was refused': [[web2(), controller], logged('12:00:03', '10.244.1.20'), []],
    'it waits before it ends': [[web2({ preStop: true }), controller], logged('12:00:03'), []],
    'it is not ending': [[web2({ deleted: false }), controller], logged('12:00:03'), []],
    'ending and still an endpoint': [[web2(), slice], NO_NETWORK, ['info rollout-race Pod default/web2']],
    'ending, taken out of the endpoints': [[web2()], NO_NETWORK, []],
  }
  it.each(Object.entries(cases))('%s', (_name, [items, network, expected]) => {
    expect(found(items, network)).toEqual(expected)
  })
})

describe('long-lived connections', () => {
  const ip = (t: string) => parseIp(t)!
  const entry = (n: number, to: string): ConntrackEntry => ({
    original: { src: ip('10.244.1.10'), dst: ip('10.96.0.80'), protocol: 6, sport: 40000 + n, dport: 80 },
    reply: { src: ip(to), dst: ip('10.244.1.10'), protocol: 6, sport: 8080, dport: 40000 + n },
    tcpState: 'ESTABLISHED',
    seenReply: true,
    assured: true,
    mark: 0,
    zone: 0,
  })
  const network = (...to: string[]): Network => {
    const base = topology('netns node1/host\n  eth0 wire 192.168.50.11/24')
    const conntrack = to.map((t, i) => entry(i, t))
    return { ...base, netns: new Map([...base.netns].map(([id, n]) => [id, { ...n, conntrack }])) }
  }
  const items = (spec: object = {}) => [
    serviceItem('web', {
      clusterIP: '10.96.0.80',
      selector: { app: 'web' },
      ports: [{ port: 80, targetPort: 8080 }],
      ...spec,
    }),
    sliceItem('web', 8080, [
      ['10.244.1.20', 'node1', true],
      ['10.244.2.20', 'node2', true],
    ]),
  ]
  const old = Array.from({ length: 20 }, () => '10.244.1.20')
  it('none to the new pod', () =>
    expect(found(items(), network(...old))).toEqual(['info connection-not-rebalanced Service default/web']))
  it('a few to the new pod', () => expect(found(items(), network(...old, '10.244.2.20'))).toEqual([]))
  it('too few to tell', () => expect(found(items(), network(...old.slice(0, 5)))).toEqual([]))
  it('affinity explains it', () => expect(found(items({ sessionAffinity: 'ClientIP' }), network(...old))).toEqual([]))
})
