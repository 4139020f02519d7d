/** `ip -d -j -4|-6 rule` (iproute2 ip/iprule.c print_rule). Checked option by option against iproute2 6.1, see fixtures. */
import { type Prefix, parseIp } from '../../base/ip.ts'
import { protocolNumber } from '../../base/protocol.ts'
import type { RoutingRule } from '../../model/network.ts'
import {
  evidenceOf,
  issueList,
  type Listing,
  looksLikeJson,
  numberOf,
  type Origin,
  type Placed,
  type Row,
  readJsonRows,
  textOf,
} from '../rows.ts'
import { readRuleText } from './rule-text.ts'
import { tableNumber } from './tables.ts'

/** Keys that are read, or that do not decide whether the rule applies. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  ...['priority', 'not', 'src', 'srclen', 'dst', 'dstlen', 'iif', 'iif_detached', 'oif', 'oif_detached', 'fwmark'],
  ...[
    'fwmask',
    'ipproto',
    'sport',
    'sport_start',
    'sport_end',
    'dport',
    'dport_start',
    'dport_end',
    'tos',
    'uid_start',
  ],
  ...['uid_end', 'table', 'goto', 'unresolved', 'nop', 'action', 'suppress_prefixlen', 'suppress_ifgroup', 'protocol'],
  ...['flow_from', 'flow_to', 'l3mdev'],
])

/** Routing rules of one family in order of priority, as listed. A rule with a condition we do not model is kept, opaque. */
export function parseRoutingRules(text: string, origin: Origin, family: 4 | 6): Listing<RoutingRule> {
  const rows = looksLikeJson(text) || text.trim() === '' ? readJsonRows(text, origin) : readRuleText(text, origin)
  const found = issueList(origin)
  found.issues.push(...rows.issues)
  let complete = rows.complete
  const value: RoutingRule[] = []
  for (const row of rows.value) {
    const rule = readRule(row, origin, family)
    if (!rule) {
      complete = false
      found.add(row.line, 'a routing rule without a priority')
      continue
    }
    if (rule.opaque !== undefined) found.add(row.line, `routing rule ${rule.priority} not understood: ${rule.opaque}`)
    value.push(rule)
  }
  return { value, issues: found.issues, complete }
}

function readRule(row: Placed<Row>, origin: Origin, family: 4 | 6): RoutingRule | null {
  const r = row.value
  const priority = numberOf(r.priority)
  if (priority === undefined) return null
  const opaque: string[] = Object.keys(r).filter((k) => !UNDERSTOOD.has(k))
  const read = <T>(key: string, value: T | undefined): { [k in string]?: T } => {
    if (value === undefined) {
      if (r[key] !== undefined && r[key] !== 'all') opaque.push(key)
      return {}
    }
    return { [key]: value }
  }
  // l3mdev takes the table of the VRF the flow belongs to; whether it does is not to be seen in the rule.
  if (r.l3mdev !== undefined) opaque.push('l3mdev')
  const protocol = r.ipproto === undefined ? undefined : (protocolNumber(textOf(r.ipproto) ?? '') ?? undefined)
  if (r.ipproto !== undefined && protocol === undefined) opaque.push('ipproto')
  const uidRange = range(r, 'uid')
  const fwmark = numberOf(r.fwmark)
  const suppress = numberOf(r.suppress_prefixlen)
  const ifgroup = numberOf(r.suppress_ifgroup) ?? (r.suppress_ifgroup === 'default' ? 0 : undefined)
  if (r.suppress_ifgroup !== undefined && ifgroup === undefined) opaque.push('suppress_ifgroup')
  if (r.fwmark !== undefined && fwmark === undefined) opaque.push('fwmark')
  const conditions = {
    ...read('src', prefix(r.src, r.srclen, family)),
    ...read('dst', prefix(r.dst, r.dstlen, family)),
    ...read('iif', textOf(r.iif)),
    ...read('oif', textOf(r.oif)),
    ...read('tos', numberOf(r.tos)),
    ...(fwmark === undefined ? {} : { mark: { value: fwmark, mask: numberOf(r.fwmask) ?? 0xffffffff } }),
    ...(protocol === undefined ? {} : { protocol }),
    ...portRange(r, 'sport', opaque),
    ...portRange(r, 'dport', opaque),
    ...(uidRange ? { uidRange } : {}),
  }
  const action = readAction(r, opaque)
  return {
    family,
    priority,
    negate: r.not !== undefined,
    ...conditions,
    action,
    ...(suppress === undefined ? {} : { suppressPrefixLength: suppress }),
    ...(ifgroup === undefined ? {} : { suppressIfgroup: ifgroup }),
    ...(opaque.length > 0 ? { opaque: opaque.join(', ') } : {}),
    evidence: evidenceOf(origin, row),
  }
}

function prefix(address: unknown, length: unknown, family: 4 | 6): Prefix | undefined {
  if (typeof address !== 'string') return undefined
  const ip = parseIp(address)
  if (!ip || ip.family !== family) return undefined
  const max = family === 4 ? 32 : 128
  const bits = numberOf(length) ?? max
  return bits <= max ? { ip, length: bits } : undefined
}

function range(r: Row, key: string): readonly [number, number] | undefined {
  const from = numberOf(r[`${key}_start`])
  const to = numberOf(r[`${key}_end`])
  return from === undefined || to === undefined ? undefined : [from, to]
}

function portRange(
  r: Row,
  key: 'sport' | 'dport',
  opaque: string[],
): { [k in 'sport' | 'dport']?: readonly [number, number] } {
  const one = numberOf(r[key])
  if (one !== undefined) return { [key]: [one, one] }
  const many = range(r, key)
  if (many) return { [key]: many }
  if (r[key] !== undefined || r[`${key}_start`] !== undefined) opaque.push(key)
  return {}
}

function readAction(r: Row, opaque: string[]): RoutingRule['action'] {
  const target = numberOf(r.goto)
  if (target !== undefined) return { kind: 'goto', priority: target }
  if (r.nop !== undefined || r.action === 'nop') return { kind: 'nop' }
  const table = textOf(r.table)
  switch (r.action) {
    case 'blackhole':
    case 'unreachable':
    case 'prohibit':
      return { kind: r.action }
    case undefined:
      if (table !== undefined) return { kind: 'table', table: tableNumber(table) }
      if (r.l3mdev === undefined) opaque.push('no action')
      return { kind: 'nop' }
    default:
      opaque.push(`action ${textOf(r.action)}`)
      return { kind: 'nop' }
  }
}
