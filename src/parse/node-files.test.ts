import { expect, it } from 'vitest'
import { formatIp, formatPrefix } from '../base/ip.ts'
import { parseCniConfig } from './cni/conflist.ts'
import { parseCounters } from './counters/nstat.ts'
import { parseResolvConf } from './resolvconf/resolvconf.ts'
import { parseSysctls } from './sysctl/sysctl.ts'

const origin = { artefact: 'x' }

it('sysctl: keys in one spelling, last one counts', () => {
  const text = `net.ipv4.conf.flannel/1.forwarding = 1
net.ipv4.ip_local_port_range = 32768\t60999
/proc/sys/net/ipv4/conf/eth0.10/rp_filter = 2
net.ipv4.ip_forward=0
net.ipv4.tcp_fastopen_key =
sysctl: permission denied on key 'net.core.bpf_jit_harden'
`
  const { value, complete } = parseSysctls(text, origin)
  expect(complete).toBe(true)
  expect(value.map(([k, s]) => `${k}|${s.value}|${s.evidence.line}`)).toEqual([
    'net.ipv4.conf.flannel/1.forwarding|1|1',
    'net.ipv4.ip_local_port_range|32768 60999|2',
    'net.ipv4.conf.eth0/10.rp_filter|2|3',
    'net.ipv4.ip_forward|0|4',
    'net.ipv4.tcp_fastopen_key||5',
  ])
  expect(parseSysctls('net.ipv4.ip_forw', origin).complete).toBe(false)
})

it('counters: nstat and /proc/net tables', () => {
  const nstat = '#kernel\nIpInReceives                    4                  0.0\nTcpExtListenDrops   2   0.0\n'
  expect(Object.fromEntries(parseCounters(nstat, origin).value)).toEqual({ IpInReceives: 4, TcpExtListenDrops: 2 })
  const proc =
    'TcpExt: SyncookiesSent ListenDrops\nTcpExt: 0 7\nIp: Forwarding InReceives\nIp: 1 9\nIp6InReceives \t5\n'
  expect(Object.fromEntries(parseCounters(proc, origin).value)).toEqual({
    TcpExtSyncookiesSent: 0,
    TcpExtListenDrops: 7,
    IpForwarding: 1,
    IpInReceives: 9,
    Ip6InReceives: 5,
  })
})

it('resolv.conf', () => {
  const text =
    '# x\nnameserver 10.96.0.10\nnameserver fe80::1%eth0\nnameserver dns\nsearch a b\nsearch shop.svc.cluster.local svc.cluster.local\noptions ndots:5 rotate\n'
  const { value, issues } = parseResolvConf(text, origin)
  expect(value.nameservers.map(formatIp)).toEqual(['10.96.0.10', 'fe80::1'])
  expect(value.search).toEqual(['shop.svc.cluster.local', 'svc.cluster.local'])
  expect([...value.options]).toEqual([
    ['ndots', '5'],
    ['rotate', ''],
  ])
  expect(issues).toMatchObject([{ line: 4 }])
})

it('CNI configuration', () => {
  const text = JSON.stringify({
    name: 'cbr0',
    cniVersion: '1.0.0',
    plugins: [
      { type: 'flannel', delegate: { hairpinMode: true, isDefaultGateway: true } },
      {
        type: 'bridge',
        bridge: 'cni0',
        mtu: 1450,
        ipam: { type: 'host-local', ranges: [[{ subnet: '10.244.1.0/24', gateway: '10.244.1.1' }]] },
      },
      { type: 'portmap', capabilities: { portMappings: true, x: false } },
    ],
  })
  const config = parseCniConfig(text, origin).value!
  expect(config.plugins.map((p) => p.type)).toEqual(['flannel', 'bridge', 'portmap'])
  expect(config.plugins[0]!.delegate).toMatchObject({ type: 'bridge', hairpinMode: true })
  expect(config.plugins[1]).toMatchObject({ link: 'cni0', mtu: 1450, ipamType: 'host-local' })
  expect(config.plugins[1]!.subnets.map(formatPrefix)).toEqual(['10.244.1.0/24'])
  expect(config.plugins[2]!.capabilities).toEqual(['portMappings'])
  for (const bad of ['', '{', '[]', '{"plugins":[{}]}', '{"name":"x"}']) {
    const read = parseCniConfig(bad, origin)
    expect(read.value).toBeNull()
    expect(read.issues).toHaveLength(1)
  }
})
