/** /etc/resolv.conf (resolv.conf(5), glibc resolv/res_init.c). */
import type { Ip } from '../../base/ip.ts'
import { parseIp } from '../../base/ip.ts'
import type { Parsed } from '../../model/evidence.ts'
import type { ResolvConf } from '../../model/network.ts'
import { evidenceOf, issueList, type Origin, readLines } from '../rows.ts'

/**
 * All name servers are kept, though glibc asks only the first three. `domain` and `search` exclude each other and the last
 * one counts. Options without a value map to an empty text.
 */
export function parseResolvConf(text: string, origin: Origin): Parsed<ResolvConf> {
  const found = issueList(origin)
  const nameservers: Ip[] = []
  let search: readonly string[] = []
  const options = new Map<string, string>()
  for (const { value: raw, line } of readLines(text)) {
    if (/^\s*[#;]/.test(raw)) continue
    const [word, ...rest] = raw.trim().split(/\s+/)
    if (word === 'nameserver') {
      // A link-local server carries its zone: fe80::1%eth0.
      const ip = parseIp((rest[0] ?? '').split('%')[0]!)
      if (ip) nameservers.push(ip)
      else found.add(line, `name server is not an address: ${rest[0] ?? ''}`)
    } else if (word === 'search' || word === 'domain') search = word === 'domain' ? rest.slice(0, 1) : rest
    else if (word === 'options') {
      for (const o of rest) {
        const colon = o.indexOf(':')
        options.set(colon < 0 ? o : o.slice(0, colon), colon < 0 ? '' : o.slice(colon + 1))
      }
    } else if (word !== 'sortlist') found.add(line, `unknown word ${word}`)
  }
  const first = text.split('\n').find((l) => l.trim() !== '') ?? ''
  return {
    value: { nameservers, search, options, evidence: evidenceOf(origin, { line: 1, text: first }) },
    issues: found.issues,
  }
}
