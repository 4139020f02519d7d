import { describe, expect, it } from 'vitest'
import type { Link } from '../model/network.ts'
import { type Identity, pairAcross, pairVeths, readIdentity, type VethSide } from './veths.ts'

const veth = (ifindex: number, lower: number, linkNetnsid?: number): Link => ({
  ifindex,
  name: `v${ifindex}`,
  kind: 'veth',
  flags: new Set(),
  operstate: 'UP',
  mtu: 1500,
  mac: '',
  lower,
  ...(linkNetnsid === undefined ? {} : { linkNetnsid }),
  addresses: [],
  evidence: { artefact: 'x', text: '' },
})
const side = (
  id: string,
  links: readonly Link[],
  identity: Identity | null = null,
  tied: readonly string[] = [],
): VethSide => ({
  id,
  node: id.split('/')[0]!,
  kind: id.endsWith('/host') ? 'host' : 'pod',
  artefact: `${id}.json`,
  links,
  identity,
  tied: (_link, pod) => tied.includes(pod.id),
})
const me = (inode: string, inodes: Readonly<Record<number, string>> = {}): Identity => ({
  inode,
  inodes: new Map(Object.entries(inodes).map(([k, v]) => [Number(k), v])),
})
const pairs = (p: ReturnType<typeof pairVeths>) => [...p.peers].map(([k, v]) => `${k} - ${v.netns} ${v.ifindex}`).sort()

describe('veths of one node', () => {
  it('pairs mirrored indexes of host and pod, and both ends inside one netns', () => {
    const sides = [
      side('n/host', [veth(7, 2, 0), veth(8, 2, 1), veth(20, 21), veth(21, 20)]),
      side('n/a', [veth(2, 7, 0)]),
      side('n/b', [veth(2, 8, 0)]),
    ]
    expect(pairs(pairVeths(sides))).toEqual([
      'n/a 2 - n/host 7',
      'n/b 2 - n/host 8',
      'n/host 20 - n/host 21',
      'n/host 21 - n/host 20',
      'n/host 7 - n/a 2',
      'n/host 8 - n/b 2',
    ])
  })
  it('does not pair one-sided claims, pods with pods, or a peer in the same netns with one elsewhere', () => {
    expect(pairs(pairVeths([side('n/host', [veth(7, 3, 0)]), side('n/a', [veth(2, 7, 0)])]))).toEqual([])
    expect(pairs(pairVeths([side('n/a', [veth(3, 4, 0)]), side('n/b', [veth(4, 3, 0)])]))).toEqual([])
    expect(pairs(pairVeths([side('n/host', [veth(7, 2)]), side('n/a', [veth(2, 7, 0)])]))).toEqual([])
  })
  it('leaves an ambiguous end alone, with an issue; identities or other evidence decide', () => {
    const pods = (ids: readonly (Identity | null)[]) => ids.map((i, n) => side(`n/p${n}`, [veth(2, 7, 0)], i))
    const open = pairVeths([side('n/host', [veth(7, 2, 0)]), ...pods([null, null])])
    expect(pairs(open)).toEqual([])
    expect(open.issues).toMatchObject([{ artefact: 'n/host.json' }])
    expect(pairs(pairVeths([side('n/host', [veth(7, 2, 0)], null, ['n/p1']), ...pods([null, null])]))).toContain(
      'n/host 7 - n/p1 2',
    )
    const proven = pairVeths([side('n/host', [veth(7, 2, 0)], me('1', { 0: '12' })), ...pods([me('11'), me('12')])])
    expect(pairs(proven)).toEqual(['n/host 7 - n/p1 2', 'n/p1 2 - n/host 7'])
  })
  it('a lone candidate that the identities contradict is none', () => {
    const sides = [side('n/host', [veth(7, 2, 0)], me('1', { 0: '99' })), side('n/a', [veth(2, 7, 0)], me('12'))]
    expect(pairs(pairVeths(sides))).toEqual([])
  })
  it('one netns number stands for one netns', () => {
    const sides = [
      side('n/host', [veth(7, 2, 0), veth(8, 3, 0)], me('1', { 5: '9' })),
      side('n/a', [veth(2, 7, 0)]),
      side('n/b', [veth(3, 8, 0)]),
    ]
    const read = pairVeths(sides)
    expect(pairs(read)).toEqual([])
    expect(read.issues).toHaveLength(2)
  })
})

describe('veths between nodes', () => {
  const a = side('n1/host', [veth(4, 3, 0)], me('1', { 0: '2' }))
  it('pairs what both ends prove, nothing else', () => {
    const b = side('n2/host', [veth(3, 4, 0)], me('2', { 0: '1' }))
    expect(pairs(pairAcross([a, b], new Map()))).toEqual(['n1/host 4 - n2/host 3', 'n2/host 3 - n1/host 4'])
    expect(pairs(pairAcross([a, side('n2/host', [veth(3, 4, 0)], me('2'))], new Map()))).toEqual([])
    expect(pairs(pairAcross([a, side('n2/host', [veth(3, 4, 0)])], new Map()))).toEqual([])
  })
  it('trusts no inode that stands for two netns: those are two machines', () => {
    const b = side('n2/host', [veth(3, 4, 0)], me('2', { 0: '1' }))
    expect(pairs(pairAcross([a, b, side('n3/host', [], me('1'))], new Map()))).toEqual([])
  })
})

it('reads netns.txt', () => {
  const read = readIdentity('inode 4026533357\nname node1\nnsid 0 4026533224 sw\nnsid 1 - \nnsid 2 4026534337 web1\n')!
  expect(read.inode).toBe('4026533357')
  expect([...read.inodes]).toEqual([
    [0, '4026533224'],
    [2, '4026534337'],
  ])
  expect(readIdentity('garbage')).toBeNull()
})
