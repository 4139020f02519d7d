import { expect, it } from 'vitest'
import { withConnectionCounts } from './connections.ts'
import { parseIpvs } from './ipvsadm.ts'

// SOURCE: ipvsadm 1.31 ipvsadm.c print_conn; the kernel here has no ip_vs.
const SAVED = `-A -t 10.96.100.10:80 -s rr
-a -t 10.96.100.10:80 -r 10.244.1.20:8080 -m -w 0
-a -t 10.96.100.10:80 -r 10.244.2.20:8080 -m -w 1
`
const CONNECTIONS = `IPVS connection entries
pro expire state       source             virtual            destination
TCP 14:57  ESTABLISHED 10.244.1.10:40000  10.96.100.10:80    10.244.1.20:8080
TCP 00:57  FIN_WAIT    10.244.1.10:40001  10.96.100.10:80    10.244.1.20:8080
TCP 00:57  TIME_WAIT   10.244.1.10:40002  10.96.100.10:80    10.244.1.20:8080
IP  58:37  NONE        10.244.1.10:0      10.96.100.10:80    10.244.1.20:8080
TCP 01:57  ESTABLISHED [fd00::1]:40000    [fd00::80]:80      [fd00::20]:8080
`

it('counts the connections of each server', () => {
  const services = parseIpvs(SAVED, { artefact: 'ipvsadm.txt' }).value
  const counted = withConnectionCounts(services, CONNECTIONS)[0]!.destinations
  expect(counted.map((d) => [d.weight, d.activeConnections, d.inactiveConnections])).toEqual([
    [0, 1, 2],
    [1, 0, 0],
  ])
})
