import { expect, it } from 'vitest'
import { formatIp, formatPrefix } from '../../base/ip.ts'
import { parseEthtool } from './ethtool.ts'
import { parseFlannelSubnet } from './flannel.ts'
import { parseKubelet } from './kubelet.ts'
import { parseIpamListing, parseListing } from './listing.ts'
import { parseCniPlaces, parseDaemons, parseSettings, parseThrottling, parseUnits } from './machine.ts'

const origin = { artefact: 'x' }

it('ls -la: names, kinds, and what says that there is no folder', () => {
  const text = `total 24
drwxr-xr-x 2 root root 4096 Nov 21 01:00 .
drwxr-xr-x 3 root root 4096 Nov 21 01:00 ..
-rwxr-xr-x 1 root root 4042923 Nov 21 01:00 bridge
-rw-r--r--. 1 root root 292 Nov  1  2025 read me
lrwxrwxrwx 1 root root 11 Nov 21 01:00 flannel -> flannel-amd64
`
  const listing = parseListing(text, origin, '/opt/cni/bin', null)!
  expect(listing.entries.map((e) => [e.name, e.kind, e.executable])).toEqual([
    ['bridge', 'file', true],
    ['read me', 'file', false],
    ['flannel', 'link', true],
  ])
  const absent = parseListing('', origin, '/opt/cni/bin', "ls: cannot access '/opt/cni/bin': No such file or directory")
  expect(absent).toMatchObject({ exists: false, entries: [] })
  expect(parseListing('', origin, '/opt/cni/bin', 'ls: Permission denied')).toBeUndefined()
})

it('ls -laR of the reservations of host-local', () => {
  const text = `/var/lib/cni/networks:
total 12
drwxr-xr-x 3 root root 4096 Nov 21 01:00 .
drwxr-xr-x 2 root root 4096 Nov 21 01:00 cbr0

/var/lib/cni/networks/cbr0:
total 8
-rw-r--r-- 1 root root 70 Nov 21 01:00 10.244.1.2
-rw-r--r-- 1 root root 70 Nov 21 01:00 fd00::2
-rw-r--r-- 1 root root 10 Nov 21 01:00 last_reserved_ip.0
-rwxr-x--- 1 root root 0 Nov 21 01:00 lock
`
  const networks = parseIpamListing(text, origin)
  expect(networks.map((n) => [n.name, n.addresses.map((a) => `${formatIp(a.ip)}:${a.evidence.line}`)])).toEqual([
    ['cbr0', ['10.244.1.2:8', 'fd00::2:9']],
  ])
})

it('subnet.env', () => {
  const text =
    'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_IPV6_NETWORK=\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n'
  const read = parseFlannelSubnet(text, origin)!
  expect(read.networks.map(formatPrefix)).toEqual(['10.244.0.0/16'])
  expect(read.subnets.map(formatPrefix)).toEqual(['10.244.1.1/24'])
  expect(read).toMatchObject({ mtu: 1450, ipMasq: true, evidence: { line: 2 } })
  expect(parseFlannelSubnet('', origin)).toBeUndefined()
})

it('kubelet: flags win over the file, every value has its line', () => {
  const text = 'kind: KubeletConfiguration\nclusterDNS:\n- 10.96.0.10\nclusterDomain: cluster.local\nmaxPods: 110\n'
  const flag = 'KUBELET_KUBEADM_ARGS="--node-ip=172.30.0.11 --max-pods=17"'
  const read = parseKubelet({ text, origin }, [{ text: flag, evidence: { artefact: 'env', line: 1, text: flag } }])!
  expect(read.clusterDns.map(formatIp)).toEqual(['10.96.0.10'])
  expect(read.nodeIps.map(formatIp)).toEqual(['172.30.0.11'])
  expect(read).toMatchObject({ clusterDomain: 'cluster.local', maxPods: 17 })
  expect(read.lines.clusterDns).toMatchObject({ line: 2, text: 'clusterDNS: [10.96.0.10]' })
  expect(read.lines.maxPods).toMatchObject({ artefact: 'env' })
  expect(parseKubelet(null, [])).toBeUndefined()
  expect(parseKubelet({ text: 'a: [', origin }, [])).toMatchObject({ clusterDns: [] })
})

it('systemctl show, daemons, settings, runtime places', () => {
  const shown =
    'Id=firewalld.service\nLoadState=loaded\nActiveState=active\nActiveEnterTimestamp=Sat\n\nId=ufw.service\nLoadState=not-found\nActiveState=inactive\nActiveEnterTimestamp=\n'
  expect(parseUnits(shown, origin).map((u) => [u.name, u.loadState, u.activeState, u.activeSince])).toEqual([
    ['firewalld', 'loaded', 'active', 'Sat'],
    ['ufw', 'not-found', 'inactive', ''],
  ])
  expect(parseDaemons('812\t/usr/bin/kubelet --a=b  --c\nx\n', origin)).toMatchObject([
    { pid: 812, words: ['/usr/bin/kubelet', '--a=b', '--c'] },
  ])
  expect(parseSettings('/etc/sysctl.conf:# x\n/etc/sysctl.conf:net.ipv4.ip_forward = 1\n', origin)).toMatchObject([
    { file: '/etc/sysctl.conf', text: 'net.ipv4.ip_forward = 1' },
  ])
  expect(
    parseCniPlaces(
      '/etc/containerd/config.toml:      bin_dir = "/usr/lib/cni/"\n/etc/containerd/config.toml: conf_dir = "/etc/cni/net.d"\n',
    ),
  ).toEqual({ binDirs: ['/usr/lib/cni'], configDirs: ['/etc/cni/net.d'] })
})

it('cpu.stat of pods and containers, in both cgroup versions', () => {
  const uid = '1234abcd-0000-4000-8000-123456789abc'
  const id = 'a'.repeat(64)
  const text = `/sys/fs/cgroup/kubepods.slice/kubepods-pod${uid.replaceAll('-', '_')}.slice/cri-containerd-${id}.scope/cpu.stat:nr_periods 10
/sys/fs/cgroup/kubepods.slice/kubepods-pod${uid.replaceAll('-', '_')}.slice/cri-containerd-${id}.scope/cpu.stat:nr_throttled 7
/sys/fs/cgroup/kubepods.slice/kubepods-pod${uid.replaceAll('-', '_')}.slice/cri-containerd-${id}.scope/cpu.stat:throttled_usec 2500000
/sys/fs/cgroup/cpu/kubepods/pod${uid}/cpu.stat:nr_throttled 1
/sys/fs/cgroup/cpu/kubepods/pod${uid}/cpu.stat:throttled_time 1000000000
/sys/fs/cgroup/kubepods.slice/cpu.stat:nr_throttled 9
`
  expect(parseThrottling(text, origin)).toMatchObject([
    { podUid: uid, containerId: id, throttledPeriods: 7, throttledSeconds: 2.5, periods: 10 },
    { podUid: uid, throttledPeriods: 1, throttledSeconds: 1 },
  ])
})

it('ethtool', () => {
  const text =
    '# ethtool -i eth0\ndriver: vmxnet3\n# ethtool -k eth0\nFeatures for eth0:\ntx-checksumming: on\n\ttx-checksum-ip-generic: off [fixed]\n# ethtool -S eth0\nNIC statistics:\n     rx_drops: 12\n# ethtool -k flannel.1\ntx-checksum-ip-generic: on\n'
  const read = parseEthtool(text, origin)
  expect(read.get('eth0')!.driver).toBe('vmxnet3')
  expect(read.get('eth0')!.features.get('tx-checksum-ip-generic')).toMatchObject({ on: false, fixed: true })
  expect(read.get('eth0')!.counters.get('rx_drops')!.value).toBe(12)
  expect(read.get('flannel.1')!.features.get('tx-checksum-ip-generic')).toMatchObject({ on: true, fixed: false })
})
