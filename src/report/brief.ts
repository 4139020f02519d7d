/**
 * Evidence for a person's eye: an object of JSON output as the few fields that say which thing it is and how it is, in the order
 * iproute2 prints them as text. The whole of it stands in `-o wide`, in JSON and in the artefact.
 */

/** What tells links, addresses, routes, neighbours, FDB entries, routing rules and objects apart. */
const FIELDS = new Set([
  'ifname',
  'dev',
  'dst',
  'type',
  'gateway',
  'via',
  'table',
  'prefsrc',
  'metric',
  'priority',
  'src',
  'srclen',
  'lladdr',
  'mac',
  'state',
  'operstate',
  'flags',
  'mtu',
  'master',
  'address',
  'local',
  'prefixlen',
  'id',
  'port',
  'info_kind',
  'hairpin',
  'isolated',
  'vlan',
  'fwmark',
  'iif',
  'oif',
  'kind',
  'name',
  'namespace',
  'podCIDR',
])

/** One line for `text`: JSON is reduced to `field value` pairs; anything else is left as it is. It may be cut short. */
export function briefEvidence(text: string): string {
  const named = /^(\S+) (\{".*)$/s.exec(text)
  if (named) return `${named[1]} ${briefEvidence(named[2]!)}`
  if (!text.startsWith('{')) return text
  const pairs: string[] = []
  for (const m of text.matchAll(
    /"([A-Za-z_]+)":\s*(?:"([^"]*)"|(-?\d+(?:\.\d+)?|true|false)|\[((?:"[^"]*",?\s*)*)\])/g,
  )) {
    if (!FIELDS.has(m[1]!)) continue
    const value = m[2] ?? m[3] ?? m[4]!.replaceAll(/["\s]/g, '')
    if (value !== '') pairs.push(`${m[1]} ${value}`)
  }
  return pairs.length > 0 ? pairs.join(' ') : text
}
