import { describe, expect, it } from 'vitest'
import { parseIp } from '../../base/ip.ts'
import { topology } from '../../datapath/testing/topology.ts'
import type { Network } from '../../model/network.ts'
import { conclude, inquire } from '../diagnose.ts'
import { withNetns } from '../remedy/edit.ts'
import { OBJECTS, STATE } from '../testing/cluster.ts'
import { ask } from './ask.ts'

const CHILD = 'fe:f8:05:5d:69:ee'
const ip = parseIp('172.30.0.60') ?? { family: 4, a: 0, b: 0, c: 0, d: 0 }

/** node1 listens on 10250 and its eth0 accepts frames for CHILD, as `bridge fdb show` prints it with a macvlan child elsewhere. */
const base = topology(
  STATE.replace(
    '  route default via 172.30.0.1 dev eth0',
    '  route default via 172.30.0.1 dev eth0\n  listen tcp 0.0.0.0:10250',
  ),
)
const withChild = (n: Network) =>
  withNetns(n, 'node1/host', (x) => ({
    ...x,
    fdb: [
      ...x.fdb,
      { mac: CHILD, link: 'eth0', flags: ['self', 'permanent'], evidence: { artefact: 'fdb', text: `${CHILD} self` } },
    ],
  }))
const withSeen = (n: Network, mac: string) =>
  withNetns(n, 'node2/host', (x) => ({
    ...x,
    neighbours: [
      ...x.neighbours,
      {
        ip,
        link: 'eth0',
        mac,
        state: 'STALE',
        proxy: false,
        evidence: { artefact: 'neigh', text: `172.30.0.60 lladdr ${mac}` },
      },
    ],
  }))

function why(network: Network, from: string, to: string) {
  const asked = ask(network, OBJECTS, { from, to, protocol: 'tcp', namespace: 'default' })
  const a = conclude(inquire(network, OBJECTS, asked), asked)
  return [a.verdict, a.rootCause]
}

describe('a sender of which only the address is known', () => {
  it.each([
    ['without children of the link', base, 'ip:172.30.0.60', '172.30.0.11:10250', ['reachable', null]],
    [
      'a child by its MAC, to its own node',
      withSeen(withChild(base), CHILD),
      'ip:172.30.0.60',
      '172.30.0.11:10250',
      ['unreachable', 'macvlan-isolation'],
    ],
    [
      'seen with a MAC of its own',
      withSeen(withChild(base), '02:00:00:00:00:60'),
      'ip:172.30.0.60',
      '172.30.0.11:10250',
      ['reachable', null],
    ],
    ['never seen: not said', withChild(base), 'ip:172.30.0.60', '172.30.0.11:10250', ['unknown', null]],
    ["the node's router is no child", withChild(base), 'ip:172.30.0.1', '172.30.0.11:10250', ['reachable', null]],
  ] as const)('%s', (_what, network, from, to, expected) => {
    expect(why(network, from, to)).toEqual(expected)
  })
})
