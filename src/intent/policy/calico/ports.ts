/** Protocols and ports of a Calico rule (api/pkg/lib/numorstring/{protocol,port}.go, felix/calc/rule_scanner.go). */
import type { PolicyPort } from '../policy.ts'
import type { Complain } from '../tier.ts'

/** Protocols a question may be about. A rule for another one is never about them. */
const NAMED = ['TCP', 'UDP', 'SCTP', 'ICMP', 'ICMPV6', 'UDPLITE'] as const
const NUMBERS: Readonly<Record<number, string>> = {
  1: 'ICMP',
  6: 'TCP',
  17: 'UDP',
  58: 'ICMPV6',
  132: 'SCTP',
  136: 'UDPLITE',
}
const WITH_PORTS = ['TCP', 'UDP', 'SCTP', 'UDPLITE']

export interface RulePorts {
  /** Null: every protocol and port. */
  readonly ports: readonly PolicyPort[] | null
  /** What cannot be judged without seeing the packet. */
  readonly condition?: string
}

type Range = readonly [from: number, to: number]
type Ports = { readonly ranges: readonly Range[]; readonly names: readonly string[] }

/** `protocol` and `notProtocol` of the rule, with `ports` and `notPorts` of its destination. */
export function decodePorts(
  raw: {
    readonly protocol: unknown
    readonly notProtocol: unknown
    readonly ports: unknown
    readonly notPorts: unknown
  },
  complain: Complain,
): RulePorts {
  const opaque = (why: string): RulePorts => {
    complain(why)
    return { ports: [{ kind: 'opaque', why }] }
  }
  const protocol = protocolOf(raw.protocol)
  const notProtocol = protocolOf(raw.notProtocol)
  if (protocol === undefined || notProtocol === undefined) return opaque('the protocol is not one')
  const ports = portsOf(raw.ports)
  const notPorts = portsOf(raw.notPorts)
  if (typeof ports === 'string') return opaque(ports)
  if (typeof notPorts === 'string') return opaque(notPorts)
  if ((ports || notPorts) && (protocol === null || !WITH_PORTS.includes(protocol)))
    return opaque('ports need a protocol that has ports')
  if (protocol === null)
    return { ports: notProtocol === null ? null : NAMED.filter((p) => p !== notProtocol).map(everyPort) }
  if (protocol === notProtocol) return { ports: [] }
  if (!ports && !notPorts) return { ports: [everyPort(protocol)] }
  const wanted = ports ?? { ranges: [[0, 65535]], names: [] }
  const left = without(wanted.ranges, notPorts?.ranges ?? [])
  const names = notPorts && notPorts.ranges.length > 0 ? [] : wanted.names
  const unsure = names.length < wanted.names.length || (notPorts?.names.length ?? 0) > 0
  return {
    ports: [
      ...left.map(([from, to]): PolicyPort => ({ kind: 'range', protocol, from, to })),
      ...(unsure ? wanted.names : names).map((name): PolicyPort => ({ kind: 'named', protocol, name })),
    ],
    ...(unsure ? { condition: 'which ports of the pod notPorts leaves out by their names' } : {}),
  }
}

const everyPort = (protocol: string): PolicyPort => ({ kind: 'range', protocol, from: 0, to: 65535 })

/** Upper case; null: not given; undefined: not a protocol. */
function protocolOf(raw: unknown): string | null | undefined {
  if (raw === undefined || raw === null) return null
  if (typeof raw === 'number' || (typeof raw === 'string' && /^\d{1,3}$/.test(raw))) {
    const number = Number(raw)
    return Number.isInteger(number) && number >= 1 && number <= 255 ? (NUMBERS[number] ?? String(number)) : undefined
  }
  if (typeof raw !== 'string') return undefined
  return NAMED.find((p) => p === raw.toUpperCase())
}

/** Numbers, `"1024:2048"` and names of container ports; null: not given; a text: what is wrong. */
function portsOf(raw: unknown): Ports | null | string {
  if (raw === undefined || raw === null) return null
  if (!Array.isArray(raw)) return 'ports are not a list'
  if (raw.length === 0) return null
  const ranges: Range[] = []
  const names: string[] = []
  for (const port of raw as unknown[]) {
    const text = typeof port === 'number' ? String(port) : port
    if (typeof text !== 'string') return 'a port is neither a number, a range nor a name'
    const range = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(text)
    if (range) {
      const from = Number(range[1])
      const to = Number(range[2] ?? range[1])
      if (to > 65535 || from > to) return `port ${text} is out of range`
      ranges.push([from, to])
    } else if (/^[a-zA-Z0-9_.-]{1,128}$/.test(text)) names.push(text)
    else return `port ${JSON.stringify(text)} is neither a number, a range nor a name`
  }
  return { ranges, names }
}

function without(ranges: readonly Range[], out: readonly Range[]): readonly Range[] {
  let left = ranges
  for (const [from, to] of out)
    left = left.flatMap(([x, y]): Range[] => {
      if (to < x || from > y) return [[x, y]]
      return [...(x < from ? [[x, from - 1] as const] : []), ...(to < y ? [[to + 1, y] as const] : [])]
    })
  return left
}
