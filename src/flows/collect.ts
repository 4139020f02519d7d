/** Lines of a file of flows, one by one, to connections: records of one connection seen at several points count once. */
import type { FlowEnd, ObservedFlow, ObservedFlows } from '../model/observed-flow.ts'
import { type Fields, fieldsOf } from './fields.ts'
import { type HubbleRecord, readHubble } from './hubble.ts'
import { readSimple } from './simple.ts'

/** Longest line read: Hubble itself stops at 64 KiB. */
const LONGEST_LINE = 1024 * 1024
/** Connections told apart; beyond them each record counts. */
const MOST_CONNECTIONS = 2_000_000
/** Kinds of flows kept. */
const MOST_FLOWS = 500_000

export interface FlowCollector {
  /** One line of the file, without its end. Returns what is wrong with it, for the first trouble of a file; else null. */
  readonly line: (text: string) => string | null
  readonly done: () => ObservedFlows
}

interface Kind {
  readonly from: FlowEnd
  readonly to: FlowEnd
  readonly protocol: string
  readonly port: number | null
  /** By source port: whether it worked, was refused, or both were seen. */
  readonly connections: Map<number, { dropped: boolean; passed: boolean; answered: boolean }>
  extra: number
}

/** An empty collector. */
export function collectFlows(): FlowCollector {
  const kinds = new Map<string, Kind>()
  const simple: ObservedFlow[] = []
  const left = new Map<string, number>()
  let connections = 0
  let first = Number.POSITIVE_INFINITY
  let last = Number.NEGATIVE_INFINITY
  const leave = (why: string, count = 1) => left.set(why, (left.get(why) ?? 0) + count)

  const record = (r: Omit<HubbleRecord, 'kind'>, reply: boolean): void => {
    const key = JSON.stringify([keyOf(r.from), keyOf(r.to), r.protocol, r.port])
    let kind = kinds.get(key)
    if (!kind) {
      if (kinds.size >= MOST_FLOWS) {
        leave(`kinds of flows beyond the first ${MOST_FLOWS}`)
        return
      }
      kind = { from: r.from, to: r.to, protocol: r.protocol, port: r.port, connections: new Map(), extra: 0 }
      kinds.set(key, kind)
    }
    if (r.time !== null) {
      first = Math.min(first, r.time)
      last = Math.max(last, r.time)
    }
    let known = kind.connections.get(r.sourcePort)
    if (!known) {
      if (connections >= MOST_CONNECTIONS) {
        if (!r.dropped && !reply) kind.extra++
        return
      }
      connections++
      known = { dropped: false, passed: false, answered: false }
      kind.connections.set(r.sourcePort, known)
    }
    if (reply) known.answered ||= !r.dropped
    else if (r.dropped) known.dropped = true
    else known.passed = true
  }

  return {
    line(text) {
      const trimmed = text.trim()
      if (trimmed === '') return null
      if (trimmed.length > LONGEST_LINE) {
        leave('lines longer than 1 MiB')
        return null
      }
      let value: Fields
      try {
        value = fieldsOf(JSON.parse(trimmed))
      } catch {
        leave('lines that are no JSON')
        return 'no JSON'
      }
      const own = readSimple(value)
      if (typeof own === 'string') {
        leave(`lines where ${own}`)
        return own
      }
      if (own) {
        simple.push(own)
        return null
      }
      const line = readHubble(value)
      if (!line) {
        leave('lines that are no flows')
        return 'no flow: neither {"flow": …} of hubble observe -o json nor {"from", "to", "protocol", "port"}'
      }
      if (line.kind === 'other') leave(line.why, line.count)
      else record(line, line.kind === 'reply')
      return null
    },
    done() {
      const minutes = last > first ? (last - first) / 60_000 : null
      const flows = [...kinds.values()].flatMap((kind) => flowsOf(kind, minutes, leave))
      return {
        flows: [...simple, ...flows].sort(inOrder),
        minutes,
        leftOut: [...left].sort(([x], [y]) => (x < y ? -1 : 1)).map(([why, count]) => `${count} ${why}`),
      }
    },
  }
}

/** What was refused on its way and never answered did not work, though a point before saw it pass. */
function flowsOf(kind: Kind, minutes: number | null, leave: (why: string, count: number) => void): ObservedFlow[] {
  let forwarded = kind.extra
  let dropped = 0
  let onlyAnswers = 0
  for (const c of kind.connections.values()) {
    if (c.dropped && !c.answered) dropped++
    else if (c.passed || c.dropped) forwarded++
    else onlyAnswers++
  }
  if (onlyAnswers > 0) leave('connections of which only answers were seen', onlyAnswers)
  const { from, to, protocol, port } = kind
  return (
    [
      ['forwarded', forwarded],
      ['dropped', dropped],
    ] as const
  ).flatMap(([outcome, count]) =>
    count === 0
      ? []
      : [{ from, to, protocol, port, outcome, count, ...(minutes === null ? {} : { perMinute: count / minutes }) }],
  )
}

function keyOf(end: FlowEnd): string {
  switch (end.kind) {
    case 'pod':
      return `pod ${end.namespace}/${end.name} ${end.ip ?? ''}`
    case 'ip':
      return `ip ${end.ip}`
    case 'host':
      return `host ${end.name}`
    case 'reference':
      return `ref ${end.text}`
  }
}

function inOrder(x: ObservedFlow, y: ObservedFlow): number {
  const of = (f: ObservedFlow) => `${keyOf(f.from)} ${keyOf(f.to)} ${f.protocol} ${f.port ?? ''} ${f.outcome}`
  const a = of(x)
  const b = of(y)
  return a < b ? -1 : a > b ? 1 : 0
}
