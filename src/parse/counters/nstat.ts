/** `nstat -asz` and /proc/net/{snmp,netstat,snmp6} (net/ipv4/proc.c, net/ipv6/proc.c): kernel counters by nstat name. */
import { issueList, type Listing, type Origin, readLines } from '../rows.ts'

export function parseCounters(text: string, origin: Origin): Listing<readonly [string, number]> {
  const found = issueList(origin)
  const value: (readonly [string, number])[] = []
  let complete = true
  let header: { prefix: string; names: readonly string[] } | null = null
  for (const { value: raw, line } of readLines(text)) {
    if (raw.startsWith('#')) continue
    const table = /^(\w+):\s+(.*)$/.exec(raw)
    if (table) {
      const words = table[2]!.split(/\s+/)
      if (header !== null && header.prefix === table[1]) {
        for (const [i, n] of header.names.entries())
          if (/^-?\d+$/.test(words[i] ?? '')) value.push([`${table[1]}${n}`, Number(words[i])])
        header = null
      } else header = { prefix: table[1]!, names: words }
      continue
    }
    const m = /^([A-Za-z][\w]*)\s+(-?\d+)(?:\s|$)/.exec(raw)
    if (m) value.push([m[1]!, Number(m[2])])
    else {
      complete = false
      found.add(line, 'not a counter')
    }
  }
  return { value, issues: found.issues, complete }
}
