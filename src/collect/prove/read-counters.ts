/** What counters.sh prints, before and after: which counters moved. Hostile text: bounded, and only the expected forms are taken. */
import { type Ip, parseIp } from '../../base/ip.ts'
import type { CounterMove } from '../../model/probe.ts'

export interface CounterReading {
  /** By `kind\ttable\tname\tnumber`; equal lines are told apart by their number. */
  readonly values: ReadonlyMap<string, number>
  readonly silent: readonly { readonly ip: Ip; readonly link: string }[]
  /** True when it was printed to the end. */
  readonly complete: boolean
}

/**
 * Kernel counters that rise when a packet is dropped for a reason of its own (linux net/ipv4/proc.c, 6.18), as nstat names them.
 * Counters that also rise on healthy machines (retransmissions, ICMP sent) are not among them.
 */
const KERNEL = new Set([
  'TcpExtIPReversePathFilter',
  'TcpExtListenOverflows',
  'TcpExtListenDrops',
  'TcpExtTCPReqQFullDrop',
  'IpInHdrErrors',
  'IpInAddrErrors',
  'IpInDiscards',
  'IpOutDiscards',
  'IpOutNoRoutes',
  'IpExtInNoRoutes',
  'IpFragFails',
  'TcpInCsumErrors',
  'UdpNoPorts',
  'UdpInErrors',
  'UdpRcvbufErrors',
  'UdpInCsumErrors',
])
const MOST_LINES = 20_000
const MOST_MOVES = 40

/** Reads one run of counters.sh. */
export function readCounters(text: string): CounterReading {
  const values = new Map<string, number>()
  const silent: { ip: Ip; link: string }[] = []
  let section = ''
  let table = ''
  let chain = ''
  let header: string[] = []
  let complete = false
  const add = (kind: CounterMove['kind'], name: string, value: number) => {
    for (let n = 1; n < 50; n++) {
      const key = `${kind}\t${kind === 'rule' || kind === 'chain-policy' ? table : ''}\t${name}\t${n}`
      if (values.has(key)) continue
      values.set(key, value)
      return
    }
  }
  for (const line of text.split('\n', MOST_LINES)) {
    if (line.startsWith('=== ')) {
      section = line.slice(4)
      complete = section === 'end'
      table = ''
    } else if (section.endsWith('-save')) {
      const rule = /^\[(\d{1,15}):\d+\] (.{1,1000})$/.exec(line)
      const policy = /^:(\S{1,64}) (\S+) \[(\d{1,15}):\d+\]$/.exec(line)
      if (line.startsWith('*')) table = line.slice(1, 40)
      else if (rule) add('rule', rule[2]!, Number(rule[1]))
      else if (policy && policy[2] === 'DROP') add('chain-policy', `${policy[1]} ${policy[2]}`, Number(policy[3]))
    } else if (section === 'nft') {
      const rule = /^\t\t(.{0,900}?)counter packets (\d{1,15}) bytes \d+ ?(.{0,300})$/.exec(line)
      if (line.startsWith('table ')) table = line.slice(6, 100).replace(/ ?\{.*$/, '')
      else if (line.startsWith('\tchain ')) chain = line.slice(7, 100).replace(/ ?\{.*$/, '')
      else if (rule) add('rule', `${chain}: ${rule[1]}${rule[3]}`.trim(), Number(rule[2]))
    } else if (section === 'netstat') {
      const words = line.split(' ')
      if (/^\w+:$/.test(words[0] ?? '') && !/^-?\d/.test(words[1] ?? '')) header = words
      else if (words[0] === header[0])
        for (let i = 1; i < words.length && i < header.length; i++) {
          const name = `${words[0]!.slice(0, -1)}${header[i]}`
          if (KERNEL.has(name) && /^\d{1,15}$/.test(words[i]!)) add('kernel', name, Number(words[i]))
        }
    } else if (section === 'link' || section === 'qdisc' || section === 'neighbour') {
      for (const row of rowsOf(line)) {
        if (section === 'link') readLink(row, add)
        else if (section === 'qdisc') {
          if (typeof row.drops === 'number' && typeof row.dev === 'string')
            add('qdisc', `${row.kind} of ${row.dev} dropped`, row.drops)
        } else {
          const ip = typeof row.dst === 'string' ? parseIp(row.dst) : null
          const state = Array.isArray(row.state) ? row.state : []
          if (ip && typeof row.dev === 'string' && (state.includes('FAILED') || state.includes('INCOMPLETE')))
            silent.push({ ip, link: row.dev.slice(0, 15) })
        }
      }
    }
  }
  return { values, silent, complete }
}

function readLink(row: Record<string, unknown>, add: (kind: CounterMove['kind'], name: string, value: number) => void) {
  const stats = row.stats64 as { rx?: Record<string, unknown>; tx?: Record<string, unknown> } | undefined
  if (typeof row.ifname !== 'string' || typeof stats !== 'object' || stats === null) return
  for (const way of ['rx', 'tx'] as const)
    for (const what of ['dropped', 'errors', 'carrier_errors']) {
      const value = stats[way]?.[what]
      if (typeof value === 'number') add('link', `${row.ifname.slice(0, 15)} ${way} ${what}`, value)
    }
}

function rowsOf(line: string): Record<string, unknown>[] {
  if (!line.startsWith('[')) return []
  try {
    const rows: unknown = JSON.parse(line)
    return Array.isArray(rows) ? rows.filter((r) => typeof r === 'object' && r !== null).slice(0, 5000) : []
  } catch {
    return []
  }
}

/** Counters that stand higher in `after`, most first. Null when one of the two readings is cut short. */
export function movedBetween(
  before: CounterReading,
  after: CounterReading,
): Omit<CounterMove, 'netns' | 'command'>[] | null {
  if (!before.complete || !after.complete) return null
  const out: Omit<CounterMove, 'netns' | 'command'>[] = []
  for (const [key, value] of after.values) {
    const by = value - (before.values.get(key) ?? value)
    if (by <= 0) continue
    const [kind, table, name] = key.split('\t') as [CounterMove['kind'], string, string]
    out.push({ kind, name, by, ...(table === '' ? {} : { table }) })
  }
  return out.sort((x, y) => y.by - x.by).slice(0, MOST_MOVES)
}
