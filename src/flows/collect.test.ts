import { describe, expect, it } from 'vitest'
import { collectFlows } from './collect.ts'

const flow = (more: object) =>
  JSON.stringify({
    flow: {
      time: '2026-11-20T20:12:39.955Z',
      verdict: 'FORWARDED',
      IP: { source: '10.0.1.1', destination: '10.0.2.2', ipVersion: 'IPv4' },
      l4: { TCP: { source_port: 40001, destination_port: 8080, flags: { SYN: true } } },
      source: {
        ID: 1,
        identity: 70001,
        namespace: 'shop',
        pod_name: 'web-1',
        workloads: [{ name: 'web', kind: 'Deployment' }],
      },
      destination: { ID: 2, identity: 70002, namespace: 'shop', pod_name: 'api-1' },
      Type: 'L3_L4',
      is_reply: false,
      ...more,
    },
    node_name: 'node1',
    time: '2026-11-20T20:12:39.955Z',
  })

function read(...lines: string[]) {
  const c = collectFlows()
  for (const l of lines) c.line(l)
  return c.done()
}
const brief = (lines: string[]) =>
  read(...lines).flows.map((f) => `${f.from.kind} ${f.to.kind} ${f.protocol} ${f.port} ${f.outcome} ${f.count}`)

describe('flows of Hubble', () => {
  it('counts one connection once, wherever it was seen', () => {
    const second = { l4: { TCP: { source_port: 40002, destination_port: 8080 } }, time: '2026-11-20T20:14:39.955Z' }
    const got = read(flow({}), flow({ traffic_direction: 'INGRESS' }), flow(second))
    expect(got.flows).toEqual([
      {
        from: {
          kind: 'pod',
          namespace: 'shop',
          name: 'web-1',
          workload: { kind: 'Deployment', name: 'web' },
          ip: '10.0.1.1',
        },
        to: { kind: 'pod', namespace: 'shop', name: 'api-1', ip: '10.0.2.2' },
        protocol: 'TCP',
        port: 8080,
        outcome: 'forwarded',
        count: 2,
        perMinute: 1,
      },
    ])
    expect(got.minutes).toBe(2)
    expect(got.leftOut).toEqual([])
  })
  it('a lone moment has no rate', () => {
    expect(read(flow({})).flows[0]).not.toHaveProperty('perMinute')
  })
  it.each<[string, object, string[]]>([
    [
      'camelCase and numbers',
      { verdict: 1, Type: 1, source: { namespace: 'shop', podName: 'x' } },
      ['pod pod TCP 8080 forwarded 1'],
    ],
    ['dropped', { verdict: 'DROPPED', is_reply: undefined }, ['pod pod TCP 8080 dropped 1']],
    ['dropped by number', { verdict: 2 }, ['pod pod TCP 8080 dropped 1']],
    [
      'the network of a node',
      { source: { identity: 6, labels: ['reserved:remote-node'] } },
      ['host pod TCP 8080 forwarded 1'],
    ],
    ['by label alone', { source: { labels: ['reserved:host'] } }, ['host pod TCP 8080 forwarded 1']],
    ['the world', { destination: { identity: 2, labels: ['reserved:world'] } }, ['pod ip TCP 8080 forwarded 1']],
    ['audit lets through', { verdict: 'AUDIT' }, ['pod pod TCP 8080 forwarded 1']],
    ['flags tell the direction', { is_reply: undefined }, ['pod pod TCP 8080 forwarded 1']],
    ['a reply alone', { is_reply: true }, []],
    ['sockets', { Type: 'SOCK' }, []],
    ['errors', { verdict: 'ERROR' }, []],
    ['ICMP', { l4: { ICMPv4: { type: 8 } } }, []],
    ['no direction', { is_reply: undefined, l4: { UDP: { source_port: 1, destination_port: 53 } } }, []],
  ])('%s', (_, more, expected) => {
    const got = read(flow(more))
    expect(brief([flow(more)])).toEqual(expected)
    expect(got.leftOut.length).toBe(expected.length === 0 ? 1 : 0)
  })
  it('refused on the way is refused, answered is not', () => {
    const drop = flow({ verdict: 'DROPPED', traffic_direction: 'INGRESS' })
    const answer = flow({
      is_reply: true,
      source: { namespace: 'shop', pod_name: 'api-1' },
      destination: { namespace: 'shop', pod_name: 'web-1', workloads: [{ name: 'web', kind: 'Deployment' }] },
      IP: { source: '10.0.2.2', destination: '10.0.1.1' },
      l4: { TCP: { source_port: 8080, destination_port: 40001 } },
    })
    expect(brief([flow({}), drop])).toEqual(['pod pod TCP 8080 dropped 1'])
    expect(brief([flow({}), drop, answer])).toEqual(['pod pod TCP 8080 forwarded 1'])
  })
  it('reads a bare flow and tells what it left out', () => {
    const bare = JSON.stringify((JSON.parse(flow({})) as { flow: object }).flow)
    expect(brief([bare])).toEqual(['pod pod TCP 8080 forwarded 1'])
    expect(
      read('{"lost_events":{"source":1,"num_events_lost":"7"}}', '{"node_status":{}}', 'nonsense', '{"a":1}').leftOut,
    ).toEqual([
      '7 events Hubble itself lost',
      '1 lines that are no JSON',
      '1 lines that are no flows',
      '1 records that are no flows',
    ])
  })
})

describe('own lines', () => {
  it('reads them', () => {
    const line = '{"from":"deploy/shop/web","to":"svc/kube-system/kube-dns","protocol":"udp","port":53,"rate":214}'
    expect(read(line).flows).toEqual([
      {
        from: { kind: 'reference', text: 'deploy/shop/web' },
        to: { kind: 'reference', text: 'svc/kube-system/kube-dns' },
        protocol: 'UDP',
        port: 53,
        outcome: 'forwarded',
        count: 1,
        perMinute: 214,
      },
    ])
  })
  it.each([
    ['{"from":"a","to":"b"}', 'port is missing'],
    ['{"from":"a","to":"b","port":70000}', 'port must be'],
    ['{"from":"a","to":"b","port":80,"count":-1}', 'count must be'],
    ['{"from":1,"to":"b","port":80}', 'from and to'],
    ['{"from":"a","to":"b","port":80,"rate":"fast"}', 'rate must be'],
  ])('%s', (line, message) => {
    expect(collectFlows().line(line)).toContain(message)
  })
})
