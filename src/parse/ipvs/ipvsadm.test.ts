import { describe, expect, it } from 'vitest'
import { formatEndpoint } from '../../base/ip.ts'
import { parseIpvs } from './ipvsadm.ts'

// SOURCE: forms of ipvsadm(8) 1.31 and of net/netfilter/ipvs/ip_vs_ctl.c, written by hand: the kernel here has no IPVS.
const SAVED = `-A -t 10.96.0.10:53 -s rr
-a -t 10.96.0.10:53 -r 10.244.1.2:53 -m -w 1
-a -t 10.96.0.10:53 -r 10.244.2.2:53 -m -w 0
-A -u 10.96.0.10:53 -s lc -p 10800
-A -t [fd00::10]:80 -s rr
-a -t [fd00::10]:80 -r [fd00:1::2]:8080 -g -w 1
-A -f 5 -s wlc
-a -f 5 -r 10.244.1.3:0 -i -w 2
`
const LISTED = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.0.10:53 rr
  -> 10.244.1.2:53                Masq    1      3          41
  -> 10.244.2.2:53                Masq    0      0          0
UDP  10.96.0.10:53 lc persistent 10800
TCP  [fd00::10]:80 rr
  -> [fd00:1::2]:8080             Route   1      0          0
FWM  5 wlc
  -> 10.244.1.3:0                 Tunnel  2      0          0
`
const PROC = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A60000A:0035 rr 
  -> 0AF40102:0035      Masq    1      3          41
TCP  [fd00:0000:0000:0000:0000:0000:0000:0010]:0050 rr 
  -> [fd00:0001:0000:0000:0000:0000:0000:0002]:1F90      Route   1      0          0
`
const shown = (text: string) =>
  parseIpvs(text, { artefact: 'x' }).value.map(
    (s) =>
      `${s.protocol} ${s.address ? formatEndpoint(s.address, s.port) : `mark ${s.mark}`} ${s.scheduler} ${s.persistent ?? ''}: ${s.destinations
        .map((d) => `${formatEndpoint(d.address, d.port)} ${d.forwarding} ${d.weight}`)
        .join(', ')}`,
  )

describe('IPVS', () => {
  const services = [
    '6 10.96.0.10:53 rr : 10.244.1.2:53 masq 1, 10.244.2.2:53 masq 0',
    '17 10.96.0.10:53 lc 10800: ',
    '6 [fd00::10]:80 rr : [fd00:1::2]:8080 route 1',
    '0 mark 5 wlc : 10.244.1.3:0 tunnel 2',
  ]
  it('reads -Sn and -Ln to the same services', () => {
    expect(shown(SAVED)).toEqual(services)
    expect(shown(LISTED)).toEqual(services)
  })
  it('reads /proc/net/ip_vs', () => {
    expect(shown(PROC)).toEqual([
      '6 10.96.0.10:53 rr : 10.244.1.2:53 masq 1',
      '6 [fd00::10]:80 rr : [fd00:1::2]:8080 route 1',
    ])
    expect(parseIpvs(PROC, { artefact: 'x' }).value[0]!.destinations[0]).toMatchObject({
      activeConnections: 3,
      inactiveConnections: 41,
    })
  })
  it('does not lose what it cannot read', () => {
    expect(parseIpvs('-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m -w 1', { artefact: 'x' }).complete).toBe(false)
    expect(parseIpvs('-A -t 10.0.0.1:http -s rr', { artefact: 'x' }).complete).toBe(false)
  })
})
