/**
 * One line of `hubble observe -o json` (a GetFlowsResponse; or a bare Flow, HUBBLE_COMPAT=legacy-json-output) to what it says of
 * a connection. Source: cilium api/v1/flow/flow.proto and observer.proto 1.19; enums come by name or by number.
 */
import type { FlowEnd } from '../model/observed-flow.ts'
import { type Fields, field, fieldsOf, port, text, whole } from './fields.ts'

export interface HubbleRecord {
  readonly kind: 'record'
  readonly from: FlowEnd
  readonly to: FlowEnd
  readonly protocol: string
  readonly port: number | null
  readonly sourcePort: number
  readonly dropped: boolean
  /** Milliseconds since 1970; null without a time. */
  readonly time: number | null
}

export type HubbleLine =
  | HubbleRecord
  /** It belongs to the connection the other way round, which worked. */
  | (Omit<HubbleRecord, 'kind'> & { readonly kind: 'reply' })
  /** A record that says nothing of who opened a connection; why. */
  | { readonly kind: 'other'; readonly why: string; readonly count: number }

/** FORWARDED, DROPPED, ERROR, AUDIT, REDIRECTED, TRACED, TRANSLATED by their numbers. */
const VERDICTS = ['', 'FORWARDED', 'DROPPED', 'ERROR', 'AUDIT', 'REDIRECTED', 'TRACED', 'TRANSLATED']
const TYPES = ['', 'L3_L4', 'L7', 'SOCK']
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const

/** Null: the object is no record of Hubble's. */
export function readHubble(value: Fields): HubbleLine | null {
  if (Object.hasOwn(value, 'flow')) return readFlow(fieldsOf(value.flow), field(value, 'time'))
  const lost = fieldsOf(field(value, 'lost_events'))
  const events = whole(field(lost, 'num_events_lost'))
  if (events !== null) return other('events Hubble itself lost', events)
  if (
    ['node_status', 'nodeStatus', 'agent_event', 'agentEvent', 'debug_event', 'debugEvent'].some((k) =>
      Object.hasOwn(value, k),
    )
  )
    return other('records that are no flows')
  if (Object.hasOwn(value, 'source') && Object.hasOwn(value, 'destination') && Object.hasOwn(value, 'verdict'))
    return readFlow(value, undefined)
  return null
}

const other = (why: string, count = 1): HubbleLine => ({ kind: 'other', why, count })

function readFlow(flow: Fields, responseTime: unknown): HubbleLine {
  const type = named(field(flow, 'Type') ?? field(flow, 'type'), TYPES)
  if (type === 'SOCK') return other('socket records, which are no packets')
  const verdict = named(field(flow, 'verdict'), VERDICTS)
  if (verdict === 'ERROR') return other('records of errors')
  const l4 = fieldsOf(field(flow, 'l4'))
  const protocol = PROTOCOLS.find((p) => Object.hasOwn(l4, p) || Object.hasOwn(l4, p.toLowerCase()))
  if (!protocol) {
    const names = Object.keys(l4)
    return other(names.length === 0 ? 'records without a protocol' : 'records of protocols without ports (ICMP…)')
  }
  const ports = fieldsOf(l4[protocol] ?? l4[protocol.toLowerCase()])
  const dropped = verdict === 'DROPPED'
  const reply = isReply(flow, ports, dropped)
  if (reply === null) return other('records that do not say who opened the connection (is_reply missing)')
  const ip = fieldsOf(field(flow, 'IP') ?? field(flow, 'ip'))
  const near = endOf(fieldsOf(field(flow, 'source')), text(field(ip, 'source')))
  const far = endOf(fieldsOf(field(flow, 'destination')), text(field(ip, 'destination')))
  if (!near || !far) return other('records without an address or a name at one end')
  const sourcePort = port(field(ports, 'source_port')) ?? 0
  const destinationPort = port(field(ports, 'destination_port'))
  const when = Date.parse(text(field(flow, 'time')) || text(responseTime))
  const time = Number.isNaN(when) ? null : when
  const common = { protocol, dropped, time }
  return reply
    ? { kind: 'reply', from: far, to: near, port: sourcePort || null, sourcePort: destinationPort ?? 0, ...common }
    : { kind: 'record', from: near, to: far, port: destinationPort, sourcePort, ...common }
}

function named(value: unknown, names: readonly string[]): string {
  const number = whole(value)
  return number === null ? text(value) : (names[number] ?? '')
}

/** Null: not told. A drop happens before anybody answers; of TCP the flags of the first two packets tell. */
function isReply(flow: Fields, ports: Fields, dropped: boolean): boolean | null {
  const told = field(flow, 'is_reply') ?? field(flow, 'reply')
  if (typeof told === 'boolean') return told
  if (dropped) return false
  const flags = fieldsOf(field(ports, 'flags'))
  return flags.SYN === true ? flags.ACK === true : null
}

/** Reserved identities of Cilium that are the network of a node (pkg/identity/numericidentity.go). */
const NODES: Readonly<Record<number, string>> = { 1: 'host', 4: 'health', 6: 'remote-node', 7: 'kube-apiserver' }

function endOf(end: Fields, ip: string): FlowEnd | null {
  const namespace = text(field(end, 'namespace'))
  const name = text(field(end, 'pod_name'))
  if (namespace !== '' && name !== '') {
    const owners = field(end, 'workloads')
    const owner = fieldsOf(Array.isArray(owners) ? owners[0] : undefined)
    const workload = { kind: text(owner.kind), name: text(owner.name) }
    return {
      kind: 'pod',
      namespace,
      name,
      ...(workload.kind !== '' && workload.name !== '' ? { workload } : {}),
      ...(ip === '' ? {} : { ip }),
    }
  }
  const host = NODES[whole(field(end, 'identity')) ?? -1] ?? reservedNode(field(end, 'labels'))
  if (host !== undefined) return { kind: 'host', name: host }
  return ip === '' ? null : { kind: 'ip', ip }
}

function reservedNode(labels: unknown): string | undefined {
  const reserved = Array.isArray(labels) ? labels.map(text).filter((l) => l.startsWith('reserved:')) : []
  return Object.values(NODES).find((n) => reserved.includes(`reserved:${n}`))
}
