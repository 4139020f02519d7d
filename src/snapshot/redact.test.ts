import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatIp, type Ip, ipv4, ipv6, parseIp, parsePrefix, prefixContains } from '../base/ip.ts'
import { endpointChain, nftEndpointBase, nftServiceBase, servicePortHash } from '../intent/service/names.ts'
import { snapshotOf } from './memory.ts'
import { redactSnapshot, renamer } from './redact.ts'
import { addressMap, mapAddressText } from './redact-addresses.ts'
import { pseudonymsFor, replaceNames } from './redact-names.ts'
import { SNAPSHOT_VERSION, type Snapshot } from './snapshot.ts'

const map = addressMap('key')

describe('addresses', () => {
  const any4 = fc.nat(0xffffffff).map(ipv4)
  const any6 = fc
    .tuple(fc.nat(0xffffffff), fc.nat(0xffffffff), fc.nat(0xffffffff), fc.nat(0xffffffff))
    .map((w) => ipv6(...w))
  /** Bits at the start that two addresses share. */
  const shared = (x: Ip, y: Ip) => {
    let n = 0
    for (const k of x.family === 4 ? (['d'] as const) : (['a', 'b', 'c', 'd'] as const)) {
      const z = Math.clz32(x[k] ^ y[k])
      n += z
      if (z < 32) return n
    }
    return n
  }

  test('keep every common prefix, one to one', () => {
    const near4 = fc
      .tuple(
        fc.oneof(
          any4,
          fc.constantFrom('100.64.1.1', '172.16.1.1', '192.168.1.1', '169.254.1.1').map((t) => parseIp(t)!),
        ),
        fc.nat(31),
      )
      .map(([x, n]) => [x, ipv4((x.d ^ (1 << n)) >>> 0)] as const)
    fc.assert(
      fc.property(near4, ([x, y]) => {
        expect(shared(map.ip(x), map.ip(y))).toBe(shared(x, y))
      }),
    )
    const near6 = fc.tuple(any6, fc.nat(127)).map(([x, n]) => {
      const flip = (word: number, w: number) => (n >>> 5 === w ? (word ^ (1 << (31 - (n & 31)))) >>> 0 : word)
      return [x, ipv6(flip(x.a, 0), flip(x.b, 1), flip(x.c, 2), flip(x.d, 3))] as const
    })
    const eui = (x: Ip) => (x.c & 0xff) === 0xff && x.d >>> 24 === 0xfe
    fc.assert(
      fc.property(near6, ([x, y]) => {
        fc.pre(!eui(x) && !eui(y) && x.a >>> 16 !== 0xff00 && x.a >>> 16 === y.a >>> 16)
        expect(shared(map.ip(x), map.ip(y))).toBe(shared(x, y))
      }),
    )
  })

  test.each([
    '0.0.0.0',
    '127.0.0.1',
    '255.255.255.255',
    '255.255.0.0',
    '224.0.0.22',
    '169.254.1.1',
    '::',
    '::1',
    'ff02::1',
  ])('%s stays', (t) => expect(formatIp(map.ip(parseIp(t)!))).toBe(t))

  test.each([
    '10.244.1.10',
    '172.31.0.11',
    '192.168.50.1',
    '100.64.3.3',
    '203.0.113.10',
    'fd00:10:244:1::a',
    'fe80::5c00:ff:fe00:1',
    '2001:db8::1',
  ])('%s changes and stays of its kind', (t) => {
    const x = parseIp(t)!
    const y = map.ip(x)
    expect(formatIp(y)).not.toBe(t)
    for (const kind of ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fe80::/10', 'fd00::/8'])
      expect(prefixContains(parsePrefix(kind)!, y)).toBe(prefixContains(parsePrefix(kind)!, x))
  })

  test('a network stays a network that holds its addresses', () => {
    for (const [net, inside] of [
      ['10.244.0.0/16', '10.244.1.10'],
      ['10.96.0.0/12', '10.96.0.10'],
      ['10.244.1.0/24', '10.244.1.10'],
      ['fd00:10:244:1::/64', 'fd00:10:244:1::a'],
    ] as const) {
      const p = parsePrefix(mapAddressText(net, map)!)!
      expect(prefixContains(p, map.ip(parseIp(inside)!))).toBe(true)
      expect(mapAddressText(net, map)).toMatch(/(\.0|::)\/\d+$/)
    }
    expect(mapAddressText('0.0.0.0/0', map)).toBe('0.0.0.0/0')
  })

  test('an address made of a MAC follows the MAC', () => {
    const mac = map.mac('5e:00:00:00:00:01')
    expect(mac).toMatch(/^5e:/)
    expect(mac).not.toBe('5e:00:00:00:00:01')
    const n = mac.split(':').map((v) => Number.parseInt(v, 16))
    const y = map.ip(parseIp('fe80::5c00:ff:fe00:1')!)
    expect([
      (y.c >>> 24) ^ 2,
      (y.c >>> 16) & 255,
      (y.c >>> 8) & 255,
      (y.d >>> 16) & 255,
      (y.d >>> 8) & 255,
      y.d & 255,
    ]).toEqual(n)
    const group = map.mac('33:33:ff:d9:86:c0')
    expect(group).toMatch(/^33:33:ff:(?!d9:86:c0)/)
    expect(formatIp(map.ip(parseIp('ff02::1:ffd9:86c0')!)).replace(/^ff02::1:ff(..?):(.*)$/, '$1$2')).toBe(
      group
        .slice(9)
        .replaceAll(':', '')
        .replace(/^(..)0*/, '$1'),
    )
    expect(map.mac('FF:FF:ff:ff:ff:ff')).toBe('ff:ff:ff:ff:ff:ff')
  })
})

describe('names', () => {
  const p = pseudonymsFor(
    new Map([
      ['ns', new Set(['shop', 'kube-system'])],
      ['svc', new Set(['web', 'db', 'svc-1', 'accept'])],
      ['pod', new Set(['web-7d4b9c-x2x', 'web'])],
    ]),
  )
  test('well-known, short and syntactic ones stay; a pseudonym is never another name', () => {
    expect(Object.fromEntries(p)).toEqual({ shop: 'ns-1', web: 'svc-3', 'svc-1': 'svc-2', 'web-7d4b9c-x2x': 'pod-1' })
  })
  test.each([
    ['web', 'svc-3'],
    ['web-7d4b9c-x2x', 'pod-1'],
    ['web-frontend', 'svc-3-frontend'],
    ['web.shop.svc.cluster.local', 'svc-3.ns-1.svc.cluster.local'],
    ['website', 'website'],
    ['my-web-7d4b9c-x2x-2', 'my-pod-1-2'],
    ['', ''],
    ['--', '--'],
  ])('%s becomes %s', (word, expected) => expect(replaceNames(word, p)).toBe(expected))
  const rename = renamer(p, map)
  test.each([
    '-A FORWARD -s 0.0.0.0/0 -i cni0 -m conntrack --ctstate NEW -j ACCEPT',
    ':KUBE-SERVICES - [12:3456]',
    'net.ipv4.conf.eth0.rp_filter = 1',
    '12:34:56 up 1 day',
    'tcp LISTEN 0 4096 *:8080 *:* users:(("coredns",pid=1,fd=3))',
  ])('syntax stays: %s', (line) => expect(rename(line)).toBe(line))
  test('addresses wherever they stand', () => {
    const a = (t: string) => mapAddressText(t, map)!
    expect(rename('-s 10.1.2.3/32 --to-destination 10.1.2.4:80')).toBe(
      `-s ${a('10.1.2.3/32')} --to-destination ${a('10.1.2.4')}:80`,
    )
    expect(rename('[fd00::5]:443 10.1.2.3-10.1.2.9')).toBe(`[${a('fd00::5')}]:443 ${a('10.1.2.3')}-${a('10.1.2.9')}`)
    expect(rename('"ip-10-1-2-3.internal"')).toBe(`"ip-${a('10.1.2.3').replaceAll('.', '-')}.internal"`)
    expect(rename('[::ffff:10.1.2.3]:80')).toContain(a('10.1.2.3').split('.')[3] === '3' ? ':' : '?')
    expect(rename('lladdr 5e:00:00:00:00:01 x')).toBe(`lladdr ${map.mac('5e:00:00:00:00:01')} x`)
  })
})

describe('a snapshot', () => {
  const id = { namespace: 'shop', service: 'api', portName: 'http', protocol: 'tcp' }
  const objects = {
    kind: 'List',
    items: [
      {
        kind: 'Service',
        metadata: { name: 'api', namespace: 'shop', labels: { team: 'payments' }, annotations: { note: 'ask Bob' } },
        spec: { clusterIP: '10.96.5.5', selector: { app: 'api' }, ports: [{ name: 'http', port: 80 }] },
      },
      {
        kind: 'EndpointSlice',
        metadata: { name: 'api-x7z9q', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'api' } },
        ports: [{ name: 'http', port: 9090, protocol: 'TCP' }],
        endpoints: [{ addresses: ['10.244.1.7'], nodeName: 'worker-a.corp.example' }],
      },
      {
        kind: 'Pod',
        metadata: { name: 'api-0', namespace: 'shop' },
        spec: {
          nodeName: 'worker-a.corp.example',
          containers: [
            {
              name: 'server',
              image: 'registry.corp.example/secret-project:1',
              env: [{ name: 'DB', value: 'hunter2' }],
            },
          ],
        },
        status: { podIP: '10.244.1.7' },
      },
      { kind: 'ConfigMap', metadata: { name: 'settings', namespace: 'shop' }, data: { key: 'hunter2' } },
    ],
  }
  const iptables = `-A KUBE-SERVICES -d 10.96.5.5/32 -p tcp -m comment --comment "shop/api:http cluster IP" -j KUBE-SVC-${servicePortHash(id)}
-A KUBE-SVC-${servicePortHash(id)} -m comment --comment "shop/api:http -> 10.244.1.7:9090" -j ${endpointChain(id, '10.244.1.7:9090')}
`
  const nft = `chain service-${nftServiceBase(id)} { jump endpoint-${nftEndpointBase(id, '10.244.1.7', 9090)} }\n`
  const base = 'nodes/worker-a.corp.example'
  const files: Record<string, string> = {
    'objects/o.json': JSON.stringify(objects),
    [`${base}/host/iptables-save.txt`]: iptables,
    [`${base}/host/nft-ruleset.txt`]: nft,
    [`${base}/host/ip-route.json`]: '[{"dst":"10.244.1.0/24","dev":"cni0","prefsrc":"10.244.1.1"}]\n',
    [`${base}/host/resolv.conf`]: 'search corp.example\nnameserver 192.168.7.53\n',
    [`${base}/pods/shop_api-0/netns.txt`]: 'inode 1\nnsid 0 2 worker-a\n',
    [`${base}/node/machine-id`]: 'abcdef\n',
  }
  const encoder = new TextEncoder()
  const snapshot = snapshotOf(
    {
      version: SNAPSHOT_VERSION,
      time: '2026-01-01T00:00:00Z',
      tool: 'netwhy',
      nodes: [{ name: 'worker-a.corp.example', via: 'ssh bob@10.9.9.9' }],
      pods: [{ namespace: 'shop', name: 'api-0', node: 'worker-a.corp.example', folder: `${base}/pods/shop_api-0` }],
      artefacts: [
        {
          path: `${base}/host/iptables-save.txt`,
          command: 'iptables-save -c',
          exitCode: 0,
          seconds: 0,
          stderr: 'no host api-0',
          bytes: 1,
          truncated: false,
        },
      ],
    },
    new Map(Object.entries(files).map(([path, text]) => [path, () => encoder.encode(text)])),
  )
  const everything = (s: Snapshot) =>
    [JSON.stringify(s.manifest), ...s.paths(), ...s.paths().map((p) => s.text(p))].join('\n')

  test('tells no name and no address any more, in whatever run', () => {
    const secrets = [
      'shop',
      'worker',
      'corp',
      'api-0',
      'api',
      'payments',
      'Bob',
      'bob',
      'hunter2',
      'registry',
      'abcdef',
      'x7z9q',
      '10.96.5.5',
      '10.244.1',
      '192.168.7.53',
      '10.9.9.9',
      servicePortHash(id),
      nftServiceBase(id).slice(0, 8),
    ]
    // The check can fail: all of them are in the snapshot as it was.
    for (const s of secrets) expect(everything(snapshot)).toContain(s)
    for (const key of ['a', 'b', 'c']) {
      const text = everything(redactSnapshot(snapshot, key)).replaceAll('apiVersion', '')
      for (const s of secrets) expect(text, s).not.toContain(s)
    }
  })

  test('keeps its shape: references, paths, chains and routes still fit each other', () => {
    const s = redactSnapshot(snapshot, 'a')
    const pod = s.manifest.pods[0]!
    expect(s.manifest.nodes).toEqual([{ name: pod.node, via: 'ssh' }])
    expect(pod.folder).toBe(`nodes/${pod.node}/pods/${pod.namespace}_${pod.name}`)
    expect(s.paths(`${pod.folder}/`)).toEqual([`${pod.folder}/netns.txt`])
    const { items } = JSON.parse(s.text('objects/o.json')!)
    const [service, slice, podObject, config] = items
    expect(podObject.metadata).toMatchObject({ name: pod.name, namespace: pod.namespace })
    expect(podObject.spec.nodeName).toBe(pod.node)
    expect(slice.metadata.labels['kubernetes.io/service-name']).toBe(service.metadata.name)
    expect(config.data).toBeUndefined()
    const renamed = { ...id, namespace: service.metadata.namespace, service: service.metadata.name }
    const endpoint = slice.endpoints[0].addresses[0]
    const rules = s.text(`nodes/${pod.node}/host/iptables-save.txt`)!
    expect(rules).toContain(`-j KUBE-SVC-${servicePortHash(renamed)}\n`)
    expect(rules).toContain(`"${service.metadata.namespace}/${service.metadata.name}:http cluster IP"`)
    expect(rules).toContain(`-j ${endpointChain(renamed, `${endpoint}:9090`)}\n`)
    expect(s.text(`nodes/${pod.node}/host/nft-ruleset.txt`)).toBe(
      `chain service-${nftServiceBase(renamed)} { jump endpoint-${nftEndpointBase(renamed, endpoint, 9090)} }\n`,
    )
    const route = JSON.parse(s.text(`nodes/${pod.node}/host/ip-route.json`)!)[0]
    expect(prefixContains(parsePrefix(route.dst)!, parseIp(endpoint)!)).toBe(true)
    expect(s.manifest.artefacts[0]).toMatchObject({ command: 'iptables-save -c', stderr: `no host ${pod.name}` })
  })
})
