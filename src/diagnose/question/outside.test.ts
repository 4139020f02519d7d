import { expect, it } from 'vitest'
import { parseIp } from '../../base/ip.ts'
import { topology } from '../../datapath/testing/topology.ts'
import { conclude, inquire } from '../diagnose.ts'
import { withNeighbour } from '../remedy/edit.ts'
import { OBJECTS, STATE } from '../testing/cluster.ts'
import { ask } from './ask.ts'

it('a client outside is tried with the MAC by which the nodes know it', () => {
  const client = parseIp('172.30.0.60')
  if (!client) throw new Error('not an address')
  // Found on the kernel (F124 of the fault catalogue): with a made-up MAC the answers went to nobody.
  const known = ['node1/host', 'node2/host'].reduce(
    (n, id) => withNeighbour(n, id, 'eth0', client, 'fe:f8:05:5d:69:ee'),
    topology(STATE),
  )
  const asked = ask(known, OBJECTS, {
    from: 'ip:172.30.0.60',
    to: '10.244.2.20:8080',
    protocol: 'tcp',
    namespace: 'default',
  })
  const answer = conclude(inquire(known, OBJECTS, asked), asked)
  expect([answer.verdict, answer.rootCause]).toEqual(['unknown', null])
})
