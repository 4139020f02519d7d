/** `sysctl -a` output and our collector's listing of /proc/sys/net: `key = value`. */
import type { Sysctl } from '../../model/network.ts'
import { evidenceOf, issueList, type Listing, type Origin, readLines } from '../rows.ts'

/**
 * Values by key, in the spelling of sysctl(8): dots between levels, `/` for dots inside a link name
 * (`net.ipv4.conf.flannel/1.forwarding`). `/proc/sys/…` paths and `key=value` of sysctl.conf are read too. Of a key that
 * stands twice the last one counts. Tabs inside values (`net.ipv4.ip_local_port_range`) become single spaces.
 */
export function parseSysctls(text: string, origin: Origin): Listing<readonly [string, Sysctl]> {
  const found = issueList(origin)
  const value: (readonly [string, Sysctl])[] = []
  let complete = true
  for (const { value: raw, line } of readLines(text)) {
    const m = /^([A-Za-z0-9_./@:+-][^=]*?)\s*=\s*(.*)$/.exec(raw)
    if (!m) {
      // sysctl(8) complains about keys it may not read among the others.
      if (!/^(sysctl: |error: )|^\s*[#;]/.test(raw)) {
        complete = false
        found.add(line, 'not key = value')
      }
      continue
    }
    const text = m[2]!.trim().replace(/\s+/g, ' ')
    value.push([keyOf(m[1]!), { value: text, evidence: evidenceOf(origin, { line, text: raw }) }])
  }
  return { value, issues: found.issues, complete }
}

/** `/proc/sys/net/ipv4/conf/flannel.1/forwarding` → `net.ipv4.conf.flannel/1.forwarding`. */
function keyOf(key: string): string {
  const path = key.startsWith('/proc/sys/') ? key.slice('/proc/sys/'.length) : null
  return path === null ? key : path.replace(/[./]/g, (c) => (c === '.' ? '/' : '.'))
}
