import { homedir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseInventory } from './inventory.ts'

const parse = (text: string) => parseInventory(text, '/etc/lab/inv.yaml')

test('the contract’s example', () => {
  const text = `nodes:
  - { name: node1, via: { ssh: root@10.0.0.11 } }
  - { name: node2, via: { netns: n2 } }
  - { name: node3, via: local }
pods:
  - { namespace: default, name: web1, node: node2, via: { netns: web1 } }
  - { name: web2, node: node3, via: { pid: 77 } }
objects: [ objects.json, /abs/more.yaml, $HOME/x.json ]
`
  expect(parse(text)).toEqual({
    nodes: [
      { name: 'node1', via: { kind: 'ssh', target: 'root@10.0.0.11' } },
      { name: 'node2', via: { kind: 'netns', name: 'n2' } },
      { name: 'node3', via: { kind: 'local' } },
    ],
    pods: [
      { namespace: 'default', name: 'web1', node: 'node2', via: { kind: 'netns', name: 'web1' } },
      { namespace: 'default', name: 'web2', node: 'node3', via: { kind: 'pid', pid: 77 } },
    ],
    objects: ['/etc/lab/objects.json', '/abs/more.yaml', '/etc/lab/$HOME/x.json'],
  })
})

test('JSON is YAML; pods and objects may be left out or be null', () => {
  const nodes = [{ name: 'n', via: { kind: 'local' } }]
  expect(parse('{"nodes":[{"name":"n","via":"local"}]}')).toEqual({ nodes, pods: [], objects: [] })
  expect(parse('nodes: [{name: n, via: local}]\npods:\nobjects:\n')).toEqual({ nodes, pods: [], objects: [] })
})

describe('what is wrong is named with file, line and column', () => {
  test.each([
    ['', '1:1: '],
    ['nodes: []', '1:1: needs at least one node, or objects'],
    [
      'nodes:\n  - name: n1\n    via: local\n  - name: N_2\n    via: local',
      '4:5: nodes[2].name: must be a Kubernetes name',
    ],
    ['nodes:\n  - name: n1\n    via: { netns: ../x }', '3:5: nodes[1].via: must be local'],
    ['nodes:\n  - name: n1\n    via: { ssh: -oProxyCommand=x }', '3:5: nodes[1].via: must be local'],
    ['nodes:\n  - name: n1', '2:5: nodes[1].via: must be local'],
    ['nodes: [{name: n, via: local}]\nnode: []', '2:1: "node" is not known here'],
    ['nodes: [{name: n, via: local, x: 1}]', '1:31: nodes[1]: "x" is not known here'],
    ['nodes: [{name: n, via: local}', '1:30: '],
    ['nodes: [{name: n, via: local}, {name: n, via: local}]', '1:32: node n is listed twice'],
    [
      'nodes: [{name: n, via: local}]\npods: [{name: p, node: m, via: {pid: 1}}]',
      '2:18: pod p is on m, which is no node',
    ],
    ['nodes: [{name: n, via: local}]\npods: [{name: p, node: n, via: local}]', '2:27: pods[1].via: must be { netns'],
    ['nodes: [{name: n, via: local}]\nkubeconfig: [x]', '2:1: kubeconfig: must be a file'],
    ['just text', '1:1: '],
  ])('%j', (text, message) => {
    expect(() => parse(text)).toThrow(`/etc/lab/inv.yaml:${message}`)
  })

  test('a bomb of aliases ends in an error', () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) =>
        `a${i}: &a${i} [${
          i === 0
            ? 'x'
            : Array(10)
                .fill(`*a${i - 1}`)
                .join(',')
        }]`,
    )
    expect(() => parse(levels.join('\n'))).toThrow('/etc/lab/inv.yaml:1:1:')
  })
})

test.each(['nodes: []\nobjects: [ o.json ]', 'objects: o.json'])('objects alone are an inventory: %j', (text) => {
  expect(parseInventory(text, '/x/inv.yaml')).toEqual({ nodes: [], pods: [], objects: ['/x/o.json'] })
})

test.each([
  ['kubeconfig: admin.conf', '/x/admin.conf'],
  ['kubeconfig: /abs.conf', '/abs.conf'],
  ['kubeconfig: ~/.kube/config', join(homedir(), '.kube/config')],
])('a kubeconfig alone is an inventory: %j', (text, kubeconfig) => {
  expect(parseInventory(text, '/x/inv.yaml')).toEqual({ nodes: [], pods: [], objects: [], kubeconfig })
})
