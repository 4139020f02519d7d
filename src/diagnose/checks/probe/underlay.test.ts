/** F040 and its like: the nodes' own state is right, and the network between them drops the outer packet. */
import { describe, expect, it } from 'vitest'
import { parseIp } from '../../../base/ip.ts'
import type { ProbeReport } from '../../inquiry.ts'
import { answer } from '../../testing/ask.ts'

const probes = (answered: number): ProbeReport => ({
  results: [
    {
      kind: 'connect',
      purpose: 'asked',
      target: 'web2',
      address: parseIp('10.244.2.20')!,
      sent: 6,
      answered,
      ...(answered === 0 ? { error: 'ETIMEDOUT' } : {}),
      command: 'probe',
      output: '',
    },
  ],
})

/** Calico's IP-in-IP for flannel's VXLAN: same pods, same nodes. */
const IPIP = [1, 2].flatMap((n) => {
  const other = 3 - n
  return [
    [`  flannel.1 vxlan 1 8472 172.30.0.1${n} 10.244.${n}.0/32\n`, `  tunl0 ipip 10.244.${n}.0/32\n`],
    [
      `  route 10.244.${other}.0/24 via 10.244.${other}.0 dev flannel.1 onlink\n`,
      `  route 10.244.${other}.0/24 via 172.30.0.1${other} dev tunl0 onlink\n`,
    ],
    [`  neigh 10.244.${other}.0 flannel.1 @node${other}/host:flannel.1 PERMANENT\n`, ''],
    [`  fdb @node${other}/host:flannel.1 flannel.1 dst 172.30.0.1${other}\n`, ''],
  ] as const
})

describe('what the underlay drops', () => {
  it.each([
    ['F040: IP-in-IP that a security group does not pass', IPIP, /IP protocol 4 \(IP-in-IP/],
    ['VXLAN', [], /UDP port 8472 \(VXLAN 1\)/],
  ])('%s', (_name, edits, remedy) => {
    const lost = answer({ edits, probes: probes(0) })
    expect([lost.verdict, lost.rootCause]).toEqual(['unreachable', 'underlay-drop'])
    expect(lost.findings[0]?.remedy?.text).toMatch(remedy)
    const fine = answer({ edits, probes: probes(6) })
    expect([fine.verdict, fine.rootCause, fine.findings]).toEqual(['reachable', null, []])
  })

  it('without packets nothing is said of the underlay: the state is right', () => {
    expect(answer({ edits: IPIP })).toMatchObject({ verdict: 'reachable', rootCause: null, findings: [] })
  })
})
