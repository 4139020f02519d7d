import { expect, it } from 'vitest'
import { parseNeighbourStats } from './neighbour-stats.ts'

// SOURCE: grep -sH '' /proc/net/stat/arp_cache /proc/net/softnet_stat, Linux 6.18, 2 CPUs; table_fulls set by hand.
const TEXT = `/proc/net/softnet_stat:0001e2b4 00000000 00000001
/proc/net/stat/arp_cache:entries  allocs   destroys hash_grows lookups  hits     res_failed rcv_probes_mcast rcv_probes_ucast periodic_gc_runs forced_gc_runs unresolved_discards table_fulls
/proc/net/stat/arp_cache:00000016 00006068 000062cb 00000002   00016344 00006bfe 0000013a   00000000         00000000         00000321         00000000       00000000            0000000a
/proc/net/stat/arp_cache:00000016 00006d2a 00006ab1 00000003   00018d97 00007e97 0000016c   00000000         00000000         00000000         00000000       00000000            00000001
/proc/net/stat/ndisc_cache:entries  table_fulls
/proc/net/stat/ndisc_cache:00000003 zzzz`

it('adds the CPUs up, but not the number of entries', () => {
  const counters = new Map(parseNeighbourStats(TEXT, { artefact: 'a' }).value)
  expect(counters.get('arp.entries')).toBe(22)
  expect(counters.get('arp.table_fulls')).toBe(11)
  expect(counters.get('arp.allocs')).toBe(0x6068 + 0x6d2a)
  expect([counters.get('ndisc.entries'), counters.has('ndisc.table_fulls')]).toEqual([3, false])
})
