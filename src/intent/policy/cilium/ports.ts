/** Ports of a Cilium rule, with what decides after them (pkg/policy/api/{l4,l7,icmp}.go, rule_validation.go). */
import type { PolicyPort } from '../policy.ts'
import { isObject } from '../selector.ts'
import type { RuleContext } from './peers.ts'

/** One entry of toPorts: its ports, and the condition under which a connection to them is let through. */
export interface PortEntry {
  readonly ports: readonly PolicyPort[]
  readonly condition?: string
}

const KNOWN = ['TCP', 'UDP', 'SCTP']

/** The entries of `toPorts` and `icmps`; null: neither is there, every port. */
export function decodePorts(
  rule: Readonly<Record<string, unknown>>,
  context: RuleContext,
): readonly PortEntry[] | null {
  const toPorts = listOf(rule.toPorts, 'toPorts', context)
  const icmps = listOf(rule.icmps, 'icmps', context)
  if (toPorts.length > 0 && icmps.length > 0) context.refuse('toPorts and icmps cannot be in one rule')
  if (toPorts.length === 0 && icmps.length === 0) return null
  return [...toPorts.map((p) => portEntry(p, context)), ...icmps.map((i) => icmpEntry(i, context))]
}

function listOf(raw: unknown, field: string, context: RuleContext): readonly unknown[] {
  if (raw === undefined || raw === null) return []
  if (!Array.isArray(raw)) context.refuse(`${field} is not a list`)
  return Array.isArray(raw) ? (raw as unknown[]) : []
}

const FIELDS = ['ports', 'rules', 'terminatingTLS', 'originatingTLS', 'serverNames', 'listener']

function portEntry(raw: unknown, context: RuleContext): PortEntry {
  const opaque = (why: string): PortEntry => ({ ports: [{ kind: 'opaque', why }] })
  if (!isObject(raw)) {
    context.refuse('an entry of toPorts is not an object')
    return opaque('an entry of toPorts is not an object')
  }
  const odd = Object.keys(raw).find((k) => !FIELDS.includes(k))
  if (odd !== undefined) return opaque(`toPorts has the unknown field ${odd}`)
  const given = listOf(raw.ports, 'ports', context)
  if (given.length === 0) return opaque('an entry of toPorts without ports')
  const conditions = [
    ...layer7(raw.rules),
    ...(isFilled(raw.serverNames) ? ['the server name in TLS decides'] : []),
    ...(isFilled(raw.listener) ? ['an Envoy listener decides'] : []),
  ]
  return {
    ports: given.flatMap((p) => decodePort(p, context)),
    ...(conditions.length === 0 ? {} : { condition: `layers 3 and 4 are allowed, then ${conditions.join('; ')}` }),
  }
}

const isFilled = (raw: unknown): boolean =>
  raw !== undefined && raw !== null && !(Array.isArray(raw) && raw.length === 0)

/** Which requests go through after the connection. Rules that let all through decide nothing. */
function layer7(raw: unknown): readonly string[] {
  if (!isObject(raw)) return raw === undefined || raw === null ? [] : ['rules that are not understood decide']
  return Object.entries(raw).flatMap(([kind, rules]) => {
    if (rules === undefined || rules === null) return []
    if (kind === 'dns' && Array.isArray(rules) && (rules as unknown[]).some(isEveryName)) return []
    if (kind === 'http' && Array.isArray(rules) && (rules as unknown[]).some(isEmpty)) return []
    return [`${kind} rules decide over each request`]
  })
}

const isEveryName = (rule: unknown): boolean =>
  isObject(rule) && rule.matchPattern === '*' && Object.keys(rule).length === 1
const isEmpty = (rule: unknown): boolean => isObject(rule) && Object.keys(rule).length === 0

function decodePort(raw: unknown, context: RuleContext): readonly PolicyPort[] {
  const refused = (why: string): readonly PolicyPort[] => {
    context.refuse(why)
    return [{ kind: 'opaque', why }]
  }
  if (!isObject(raw)) return refused('a port is not an object')
  const odd = Object.keys(raw).find((k) => !['port', 'endPort', 'protocol'].includes(k))
  if (odd !== undefined) return [{ kind: 'opaque', why: `a port has the unknown field ${odd}` }]
  const protocol = typeof raw.protocol === 'string' && raw.protocol !== '' ? raw.protocol.toUpperCase() : 'ANY'
  if (protocol !== 'ANY' && !KNOWN.includes(protocol))
    return [{ kind: 'opaque', why: `ports of protocol ${protocol} are not evaluated` }]
  const protocols = protocol === 'ANY' ? KNOWN : [protocol]
  // YAML that writes a number where the API wants a text is refused by the API server, but means what it says.
  const text = typeof raw.port === 'number' ? String(raw.port) : raw.port
  if (typeof text !== 'string' || text === '') return refused('a port entry has no port')
  if (!/^\d+$/.test(text)) {
    if (!/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,13}[a-zA-Z0-9])?$/.test(text) || !/[a-zA-Z]/.test(text))
      return refused(`port ${JSON.stringify(text)} is neither a number nor a name`)
    const name = text.toLowerCase()
    return protocol === 'ANY' ? [{ kind: 'named-any', name }] : [{ kind: 'named', protocol, name }]
  }
  const from = Number(text)
  const end = raw.endPort
  const to = typeof end === 'number' && end > from ? end : from
  if (from > 65535 || to > 65535) return refused(`port ${text} is out of range`)
  // Port 0 stands for every port.
  if (from === 0) return protocols.map((p) => ({ kind: 'range', protocol: p, from: 0, to: 65535 }))
  return protocols.map((p) => ({ kind: 'range', protocol: p, from, to }))
}

function icmpEntry(raw: unknown, context: RuleContext): PortEntry {
  const fields = isObject(raw) ? listOf(raw.fields, 'icmps.fields', context) : []
  const families = new Set(fields.map((f) => (isObject(f) && f.family === 'IPv6' ? 'ICMPV6' : 'ICMP')))
  return {
    ports: [...families].map((protocol) => ({ kind: 'range', protocol, from: 0, to: 65535 })),
    condition: 'the ICMP type decides',
  }
}
