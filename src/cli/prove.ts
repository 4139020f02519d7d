/** `--prove`: which packets to send for a question, from where, and what they said. */

import { formatIp } from '../base/ip.ts'
import { hasPorts, TCP } from '../base/protocol.ts'
import type { Inventory } from '../collect/inventory.ts'
import { type ProbeOutcome, type ProbePlace, type ProbeSpec, probe } from '../collect/prove/probe.ts'
import type { Inquiry, ProbeReport, ProbeResult, Source, Target } from '../diagnose/inquiry.ts'
import type { Asked } from '../diagnose/question/asked.ts'

const TRIES = 6
/** Seconds. */
const WAIT = 1.5
/** A packet every link that deserves the name carries (IPv6 minimum, RFC 8200 section 5). */
const SMALL = 1280

/** Where probes for a source start; null outside, or in a pod the inventory has no way into. */
function placeOf(inventory: Inventory, source: Source): ProbePlace | null {
  if (source.netns === null) return null
  const [nodeName = '', kind = '', namespace = '', name = ''] = source.netns.split('/')
  const node = inventory.nodes.find((n) => n.name === nodeName)
  if (!node) return null
  if (kind === 'host') return { via: node.via, pod: null }
  const pod =
    kind === 'pod'
      ? inventory.pods.find((p) => p.namespace === namespace && p.name === name && p.node === nodeName)
      : undefined
  return pod ? { via: node.via, pod: pod.via } : null
}

function first(asked: Asked, target: Target): ProbeSpec | null {
  const address = formatIp(target.ip)
  const sourcePort = asked.sourcePort === 0 ? {} : { sourcePort: asked.sourcePort }
  if (asked.protocol === TCP)
    return { kind: 'connect', address, port: target.port ?? 0, count: TRIES, wait: WAIT, ...sourcePort }
  if (hasPorts(asked.protocol))
    return asked.protocol === 17
      ? { kind: 'datagram', address, port: target.port ?? 0, count: 3, wait: WAIT, ...sourcePort }
      : null
  return { kind: 'echo', address, port: 0, count: 4, wait: 1 }
}

/** MTU of the link the source sends by: the size the far end would be sent in bulk. */
function senderMtu(q: Inquiry, source: Source): number {
  const branch = q.branches.find((b) => b.source === source && b.stage === undefined)
  const hop = branch?.trace.forward.hops[0]
  const netns = hop ? q.network.netns.get(hop.netns) : undefined
  const name = hop?.steps.find((s) => s.link !== undefined && s.link !== 'lo')?.link
  return netns?.links.find((l) => l.name === name)?.mtu ?? 1500
}

/** Sends the probes and gives the report; null when no place to send from is known. */
export async function prove(
  q: Inquiry,
  asked: Asked,
  inventory: Inventory,
  signal?: AbortSignal,
): Promise<ProbeReport | null> {
  const source = asked.sources[0]
  const target = asked.targets[0]
  const place = source ? placeOf(inventory, source) : null
  if (!source || !target || !place) return null
  const results: ProbeResult[] = []
  const send = async (spec: ProbeSpec): Promise<ProbeOutcome | null> => {
    const outcome = await probe(place, spec, signal)
    if (outcome) results.push(result(outcome, target))
    return outcome
  }
  const asking = first(asked, target)
  if (asking) await send(asking)
  const mtu = senderMtu(q, source)
  // A Service address does not answer echoes; the address behind it is a question of its own.
  if (!target.service && mtu > SMALL && results.every((r) => r.answered > 0)) {
    const address = formatIp(target.ip)
    const echo = await send({ kind: 'echo', address, port: 0, count: 20, wait: 1 })
    if (echo && echo.answered > 0) {
      const small = await send({ kind: 'big-echo', address, port: SMALL, count: 2, wait: 1 })
      if (small && small.answered > 0) await send({ kind: 'big-echo', address, port: mtu, count: 3, wait: 1 })
    }
  }
  return { results }
}

function result(o: ProbeOutcome, target: Target): ProbeResult {
  const { spec, sent, answered, error, milliseconds, command, output } = o
  return {
    kind: spec.kind,
    target: target.label,
    sent,
    answered,
    command,
    output,
    ...(error === undefined ? {} : { error }),
    ...(milliseconds === undefined ? {} : { milliseconds }),
    ...(spec.kind === 'big-echo' ? { bytes: spec.port } : {}),
  }
}
