import { formatIp } from '../base/ip.ts'
import type { Evidence } from '../model/evidence.ts'
import type { Failure, Inquiry, ProbeResult } from './inquiry.ts'

/** The tries of the connection asked about. */
export function askedTries(q: Pick<Inquiry, 'probes'>): readonly ProbeResult[] {
  return q.probes?.results.filter((r) => r.purpose === 'asked') ?? []
}

/** True when probes were made and none of them got an answer. */
export function probeFailed(q: Pick<Inquiry, 'probes'>): boolean {
  const tries = askedTries(q)
  return tries.length > 0 && tries.every((r) => r.answered === 0)
}

/** True when at least one probe of the connection asked about got its answer. */
export function probeAnswered(q: Pick<Inquiry, 'probes'>): boolean {
  return askedTries(q).some((r) => r.answered > 0)
}

/** True when every probe of the connection asked about got its answer. */
export function probeAlwaysAnswered(q: Pick<Inquiry, 'probes'>): boolean {
  const tries = askedTries(q)
  return tries.length > 0 && tries.every((r) => r.answered === r.sent)
}

/** The failures that the state predicts for the connection itself; that a packet leaves what was collected is none. */
export function predicted(q: Pick<Inquiry, 'failures'>): readonly Failure[] {
  return q.failures.filter(
    (f) =>
      f.branch.stage === undefined &&
      f.trace.disposition !== 'exits-network' &&
      f.trace.disposition !== 'insufficient-info',
  )
}

/** Losing fewer than this share of the echoes is no finding: one may be lost anywhere. */
const LOSSY = 0.03

/** The echoes of which a telling part was lost. */
export function lossyEchoes(q: Pick<Inquiry, 'probes'>) {
  return q.probes?.results.find(
    (r) =>
      r.kind === 'echo' &&
      r.sent >= 10 &&
      r.answered > 0 &&
      r.sent - r.answered >= 2 &&
      r.answered <= r.sent * (1 - LOSSY),
  )
}

/** The probe as a citation. */
export function probeProof(r: ProbeResult): Evidence {
  return { artefact: `probe: ${r.command}`, text: resultText(r), source: '--prove' }
}

const NAMES: Record<ProbeResult['kind'], string> = {
  connect: 'connects',
  datagram: 'datagrams',
  dns: 'DNS queries',
  echo: 'echoes',
  mtu: "echoes with don't fragment",
}

/** `4 of 6 connects to 10.96.0.1 answered, else ECONNREFUSED`. */
export function resultText(r: ProbeResult): string {
  if (r.mtu && r.mtu.largest > 0)
    return r.mtu.lost === 0
      ? `packets of ${r.mtu.largest} bytes to ${formatIp(r.address)} are answered`
      : `packets of ${r.mtu.largest} bytes to ${formatIp(r.address)} are answered, of ${r.mtu.lost} bytes not`
  const failed = r.answered < r.sent ? `, else ${r.error ?? 'no answer'}` : ''
  const sender = r.senders?.[0]
  const who = sender
    ? `; ${sender.kind === 'rst' ? 'RST' : `ICMP ${sender.type}/${sender.code}`} from ${formatIp(sender.from)}, TTL ${sender.ttl}, on ${sender.link}`
    : ''
  return `${r.answered} of ${r.sent} ${NAMES[r.kind]} to ${formatIp(r.address)} answered${failed}${who}${dnsText(r)}`
}

const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'] as const

/** What the name server said (rcodes of RFC 1035 section 4.1.1), and from which address where that is another one. */
function dnsText(r: ProbeResult): string {
  const [first] = r.dns ?? []
  if (!first) return ''
  const from = first.from === formatIp(r.address) ? '' : ` from ${first.from}, which was not asked`
  return `; ${RCODES[first.rcode] ?? `rcode ${first.rcode}`}, ${first.answers} ${first.answers === 1 ? 'record' : 'records'}${from}`
}
