/** Which packets `--prove` sends for a question. */
import { formatIp, type Ip } from '../../../base/ip.ts'
import { hasPorts, TCP, UDP } from '../../../base/protocol.ts'
import type { Inquiry, ProbeResult, Source, Target } from '../../inquiry.ts'
import type { Asked } from '../../question/asked.ts'
import { backendsOf, frontendOf, usableBackends } from '../../view/service-view.ts'

export interface PlannedProbe {
  readonly kind: ProbeResult['kind']
  readonly purpose: ProbeResult['purpose']
  readonly target: string
  readonly address: Ip
  readonly port: number
  readonly count: number
  /** Seconds. */
  readonly wait: number
  readonly sourcePort?: number
  /** `dns`: name asked for. */
  readonly name?: string
  /** `mtu`: lengths of IP packets. `echo`: seconds between two. */
  readonly low?: number
  readonly high?: number
  readonly pace?: number
}

/** Through a Service: enough to see one endpoint of four fail with a chance of 99 %. */
const SERVICE_TRIES = 16
const TRIES = 6
const MOST_ENDPOINTS = 8
/** Seconds: one retransmitted SYN comes within. */
const WAIT = 1.5
/** A packet every link that deserves the name carries (IPv6 minimum, RFC 8200 section 5). */
const SMALL = 1280

/** MTU of the link the source sends by: the size the far end would be sent in bulk. */
function senderMtu(q: Inquiry, source: Source): number {
  const branch = q.branches.find((b) => b.source === source && b.stage === undefined)
  const hop = branch?.trace.forward.hops[0]
  const netns = hop ? q.network.netns.get(hop.netns) : undefined
  const name = hop?.steps.find((s) => s.link !== undefined && s.link !== 'lo')?.link
  return netns?.links.find((l) => l.name === name)?.mtu ?? 1500
}

/** A name every cluster DNS answers, below the domain of the source's search list. */
function clusterName(q: Inquiry, source: Source): string {
  const conf = source.netns === null ? undefined : q.network.netns.get(source.netns)?.resolvConf
  const search = conf?.search.find((s) => /^svc\.[a-z0-9.-]{1,200}$/i.test(s))
  return `kubernetes.default.${search ?? 'svc.cluster.local'}`
}

/** The probes for the first source and the first target of a question, in order. */
export function planProbes(q: Inquiry, asked: Asked, source: Source, target: Target): PlannedProbe[] {
  const { protocol } = asked
  const front = target.port === null ? null : frontendOf(q, target.ip, target.port, protocol)
  const sourcePort = asked.sourcePort === 0 ? {} : { sourcePort: asked.sourcePort }
  const out: PlannedProbe[] = []
  const add = (purpose: ProbeResult['purpose'], label: string, address: Ip, port: number, tries: number) => {
    const at = { purpose, target: label, address, port, wait: WAIT, ...(purpose === 'asked' ? sourcePort : {}) }
    if (protocol === TCP)
      out.push({ kind: 'connect', count: purpose === 'asked' && asked.sourcePort > 0 ? 1 : tries, ...at })
    else if (protocol === UDP && port === 53)
      out.push({ kind: 'dns', count: Math.min(tries, 6), name: clusterName(q, source), ...at })
    else if (protocol === UDP) out.push({ kind: 'datagram', count: Math.min(tries, 4), ...at })
  }
  if (hasPorts(protocol)) add('asked', target.label, target.ip, target.port ?? 0, front ? SERVICE_TRIES : TRIES)
  const backends = front
    ? usableBackends(backendsOf(q.objects, front.service, front.port)).slice(0, MOST_ENDPOINTS)
    : []
  for (const b of backends) {
    const pod = b.pod ? `pod/${b.pod.meta.namespace}/${b.pod.meta.name}` : formatIp(b.ip)
    add('endpoint', pod, b.ip, b.port, 3)
  }
  // A Service address does not answer echoes; what stands behind it does.
  const beside = front ? backends[0] : { ip: target.ip }
  if (beside) {
    const label =
      front && backends[0]?.pod ? `pod/${backends[0].pod.meta.namespace}/${backends[0].pod.meta.name}` : target.label
    const at = { target: label, address: beside.ip, port: 0, wait: 1 }
    out.push({ kind: 'echo', purpose: hasPorts(protocol) ? 'loss' : 'asked', count: 30, pace: 0.01, ...at })
    const mtu = senderMtu(q, source)
    if (mtu > SMALL)
      out.push({ kind: 'mtu', purpose: 'path-mtu', count: 1, low: SMALL, high: Math.min(mtu, 65535), ...at })
  }
  return out
}
