import { describe, expect, it } from 'vitest'
import { briefEvidence } from './brief.ts'

describe('briefEvidence', () => {
  it.each([
    [
      '{"ifindex":4,"ifname":"flannel.1","flags":["BROADCAST","UP"],"mtu":1450,"qdisc":"noqueue","operstate":"UNKNOWN","group":"default","address":"5e:00:00:00:04:02","promiscuity":0,…',
      'ifname flannel.1 flags BROADCAST,UP mtu 1450 operstate UNKNOWN address 5e:00:00:00:04:02',
    ],
    [
      '{"dst":"10.244.2.0/24","gateway":"10.244.2.0","dev":"flannel.1","flags":[]}',
      'dst 10.244.2.0/24 gateway 10.244.2.0 dev flannel.1',
    ],
    ['-A FORWARD -j DROP', '-A FORWARD -j DROP'],
    ['{"odd":1}', '{"odd":1}'],
  ])('%s', (text, brief) => expect(briefEvidence(text)).toBe(brief))
})
