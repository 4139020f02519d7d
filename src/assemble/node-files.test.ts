import { expect, it } from 'vitest'
import { snapshotOf } from '../snapshot/memory.ts'
import { assemble } from './assemble.ts'

const flannel =
  '{"name":"cbr0","cniVersion":"0.3.1","plugins":[{"type":"flannel","delegate":{"isDefaultGateway":true}},{"type":"portmap","capabilities":{"portMappings":true}}]}'

function filesOf(files: Record<string, string>, failed: Record<string, string> = {}) {
  const encoder = new TextEncoder()
  const entry = (path: string, exitCode: number, stderr: string, bytes: number) => ({
    path,
    command: `cat ${path}`,
    exitCode,
    seconds: 0,
    stderr,
    bytes,
    truncated: false,
  })
  const whole = { 'kernel-release.txt': '6.18.0\n', ...files }
  const home = (n: string) => `nodes/node1/node/${n}`
  const snapshot = snapshotOf(
    {
      version: 'netwhy/snapshot/v1',
      time: '2026-11-21T00:00:00Z',
      tool: 'test',
      nodes: [{ name: 'node1' }],
      pods: [],
      artefacts: [
        ...Object.entries(whole).map(([n, t]) => entry(home(n), 0, '', encoder.encode(t).length)),
        ...Object.entries(failed).map(([n, said]) => entry(home(n), 2, said, 0)),
      ],
    },
    new Map(Object.entries(whole).map(([n, t]) => [home(n), () => encoder.encode(t)])),
  )
  return assemble(snapshot).network.nodes.get('node1')!.files
}

it('a node of which only the kernel is known has no files', () => {
  expect(filesOf({})).toBeUndefined()
})

it('CNI files in loading order, broken ones with the reason; what is no configuration by its name is not read', () => {
  const files = filesOf({
    'cni/net.d/20-b.conflist': flannel,
    'cni/net.d/10-a.conflist': '{"name":"x"',
    'cni/net.d/15-list.conf': flannel,
    'cni/net.d/05-old.conflist.bak': flannel,
  })!
  expect(files.cniConfigs!.map((c) => [c.name, c.config?.name ?? null])).toEqual([
    ['10-a.conflist', null],
    ['15-list.conf', null],
    ['20-b.conflist', 'cbr0'],
  ])
  expect(files.cniConfigs![0]!.broken).toMatch(/not JSON/)
  expect(files.cniConfigs![1]!.broken).toMatch(/not named .conflist/)
})

it('an empty folder is told apart from one that was not collected', () => {
  expect(filesOf({ 'date.txt': 'x' })!.cniConfigs).toBeUndefined()
  expect(filesOf({ 'cni/net.d.txt': 'total 0\n' })!.cniConfigs).toEqual([])
  const absent = filesOf({}, { 'cni/net.d.txt': "ls: cannot access '/etc/cni/net.d': No such file or directory" })!
  expect([absent.cniConfigs, absent.cniConfigDirectory?.exists]).toEqual([[], false])
  expect(filesOf({}, { 'cni/net.d.txt': 'ls: cannot open directory: Permission denied' })!.cniConfigs).toBeUndefined()
})

it('logs by pod and container, and kubelet with the flags of its command line', () => {
  const files = filesOf({
    'logs/kube-flannel_kube-flannel-ds-x_kube-flannel.txt':
      '2026-11-21T00:00:00Z stderr F one\n2026-11-21T00:00:01Z stderr F two\n',
    'kubelet-log.txt': '-- No entries --\n2026-11-21T00:00:00+0000 node1 kubelet[1]: E1121 x\n',
    'daemons.txt': '7\t/usr/bin/kubelet --node-ip=172.30.0.11\n',
  })!
  expect(files.logs.map((l) => [l.namespace, l.pod, l.container, l.lines.map((e) => e.line)])).toEqual([
    ['kube-flannel', 'kube-flannel-ds-x', 'kube-flannel', [1, 2]],
  ])
  expect(files.kubeletLog!.map((l) => l.line)).toEqual([2])
  expect(files.kubelet!.lines.nodeIps).toMatchObject({ artefact: 'nodes/node1/node/daemons.txt', line: 1 })
})
