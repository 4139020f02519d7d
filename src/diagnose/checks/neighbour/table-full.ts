import type { ClusterCheck, ClusterFinding } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import {
  concernsNode,
  counterProof,
  type Host,
  hostsOf,
  kernelLines,
  sysctlNumber,
  sysctlProof,
} from '../links/hosts.ts'

/** Above this share of gc_thresh3 the next burst of new neighbours fills the table. */
const CLOSE = 0.9

const TABLES = [
  { family: 4, counter: 'arp', log: /(arp_cache: )?neighbou?r table overflow/i, other: /ndisc_cache/ },
  { family: 6, counter: 'ndisc', log: /ndisc_cache: neighbou?r table overflow/i, other: /arp_cache/ },
] as const

function ofTable(host: Host, table: (typeof TABLES)[number]): ClusterFinding[] {
  const { netns } = host
  const key = `net.ipv${table.family}.neigh.default.gc_thresh3`
  const most = sysctlNumber(netns, key)
  const listed = netns.known.has('neighbours')
    ? netns.neighbours.filter((n) => n.ip.family === table.family && !n.proxy).length
    : 0
  // The limit is the machine's; /proc/net/stat counts the entries of all its namespaces, `ip neigh` those of one.
  const entries = Math.max(listed, netns.counters.get(`${table.counter}.entries`) ?? 0)
  const fulls = netns.counters.get(`${table.counter}.table_fulls`) ?? 0
  const said = kernelLines(host, table.log).filter((e) => !table.other.test(e.text))
  const close = most !== undefined && most > 0 && entries >= most * CLOSE
  const full = most !== undefined && most > 0 && entries >= most * 0.98
  if (!close && said.length === 0 && fulls === 0) return []
  const now = full || (close && (said.length > 0 || fulls > 0))
  return [
    clusterFinding('neighbour-table-full', {
      severity: now ? 'error' : 'warning',
      hurts: now,
      title: `the neighbour table of ${host.node} ${now ? 'is full' : close ? 'is nearly full' : 'was full before'} (${entries} entries${most === undefined ? '' : `, limit ${most}`})`,
      text: `${host.node} keeps one entry per machine and pod it talks to. ${now ? 'There is no room for another: connections to addresses it has not talked to lately fail at random with "no route to host" or "invalid argument", while others work.' : close ? 'A few more pods or nodes and connections fail at random.' : 'The kernel dropped packets for lack of room; it happens again under the same load.'}${fulls > 0 ? ` It happened ${fulls} times so far.` : ''}`,
      where: { node: host.node, netns: 'host' },
      concerns: concernsNode(host),
      evidence: [
        ...said,
        ...sysctlProof(netns, key),
        counterProof(netns, `${table.counter}.table_fulls`),
        counterProof(netns, `${table.counter}.entries`),
      ],
      remedy: {
        text: 'Raise the three limits on every node, also in /etc/sysctl.d.',
        commands: [3, 2, 1].map(
          (i) => `sysctl -w net.ipv${table.family}.neigh.default.gc_thresh${i}=${[80000, 90000, 100000][i - 1]}`,
        ),
      },
    }),
  ]
}

/** `neighbour-table-full`: entries at gc_thresh3 (net/core/neighbour.c neigh_alloc), as told by the kernel's log, counters and tables. */
export const neighbourTableFull: ClusterCheck = {
  name: 'neighbour-table-full',
  find: (state) => hostsOf(state).flatMap((host) => TABLES.flatMap((table) => ofTable(host, table))),
}
