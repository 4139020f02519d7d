/** From outcomes to an Answer: every failure explained by the first check that knows it, ranked, remedies tried out. */
import { formatIp } from '../base/ip.ts'
import type { KubeObjects } from '../kubeobj/objects.ts'
import type { Evidence, Missing } from '../model/evidence.ts'
import type { Answer, AnswerProbe, Finding } from '../model/finding.ts'
import type { Network } from '../model/network.ts'
import type { ConnectionTrace } from '../model/trace.ts'
import { dnsName } from './checks/dns/name.ts'
import { meshMtls } from './checks/mesh/mtls.ts'
import { misdelivered } from './checks/node/misdelivered.ts'
import { letThrough } from './checks/policy/let-through.ts'
import { endpointsSilent } from './checks/probe/endpoints.ts'
import { someProbesLost } from './checks/probe/loss.ts'
import { bigPacketsLost } from './checks/probe/mtu.ts'
import { packetEvidence, proofOf } from './checks/probe/proof.ts'
import { refusedAfterAll } from './checks/probe/refused.ts'
import { lostBeforePrediction, packetsVanish } from './checks/probe/vanished.ts'
import { staleEntries } from './checks/service/stale-entry.ts'
import { bandwidthLimited } from './checks/timing/bandwidth.ts'
import { CLUSTER_CHECKS } from './cluster/registry.ts'
import { nodesOf, touches } from './cluster/touches.ts'
import { failuresOf } from './failure.ts'
import type { Branch, Diagnosis, Failure, Inquiry, ProbeReport, StateFinding } from './inquiry.ts'
import { askedTries, probeAlwaysAnswered, probeAnswered, probeProof, resultText } from './probes.ts'
import { type Asked, traceAsked } from './question/asked.ts'
import { CHECKS } from './registry.ts'
import { brokenBy } from './regression.ts'
import { sharesOf, verdictOf } from './verdict.ts'

/** Checks of state beside the failing step. */
const STATE_CHECKS: readonly ((q: Inquiry) => StateFinding[])[] = [
  dnsName,
  meshMtls,
  staleEntries,
  bandwidthLimited,
  bigPacketsLost,
  someProbesLost,
  refusedAfterAll,
  packetsVanish,
  endpointsSilent,
  letThrough,
]

/** A cause, and the failures it explains. */
export interface Explained {
  readonly diagnosis: Diagnosis
  readonly failure: Failure
  /** Probability of all failures that this one finding explains. */
  mass: number
}

function explain(failure: Failure, q: Inquiry): Diagnosis | null {
  for (const check of CHECKS) {
    const found = check.explain(failure, q)
    if (found) return found
  }
  return null
}

/** The causes of all failures, likeliest first; what no check knows is left out. */
export function explainAll(q: Inquiry): Explained[] {
  const out = new Map<string, Explained>()
  for (const failure of q.failures) {
    const diagnosis = explain(failure, q)
    if (!diagnosis) continue
    const { code, where } = diagnosis.finding
    const key = [code, where.node, where.netns, where.link, where.object, diagnosis.finding.title].join('|')
    const known = out.get(key)
    if (known) known.mass += failure.probability
    else out.set(key, { diagnosis, failure, mass: failure.probability })
  }
  return [...out.values()].sort(
    (x, y) =>
      severityRank(x.diagnosis.finding) - severityRank(y.diagnosis.finding) ||
      Number(y.failure.branch.stage === 'dns') - Number(x.failure.branch.stage === 'dns') ||
      y.mass - x.mass,
  )
}

function severityRank(f: Finding): number {
  return { error: 0, warning: 1, info: 2 }[f.severity]
}

/**
 * Applies the remedy to the model and asks again: verified when the question is cured and no other connection fares worse;
 * what would break is named.
 */
export function verified(e: Explained, network: Network, objects: KubeObjects, asked: Asked): Finding {
  const { finding, edit } = e.diagnosis
  if (!edit || !finding.remedy) return finding
  const after = edit(network)
  if (after === network) return finding
  const branches = traceAsked(after, asked)
  const shares = sharesOf(branches, new Set())
  const cured = shares.failed < 1e-9 && shares.undecided < 1e-9 && (shares.delivered > 0 || shares.outside > 0)
  const q = inquiryOf(after, objects, asked, branches)
  if (!cured || q.failures.some((f) => explain(f, q)?.finding.code === finding.code)) return finding
  const breaks = brokenBy(network, after, objects)
  return {
    ...finding,
    remedy: { ...finding.remedy, verified: breaks.length === 0, ...(breaks.length > 0 ? { breaks } : {}) },
  }
}

/** The same for what was seen beside the path: cured when the check that said so says it no longer. */
function verifiedState(
  s: StateFinding,
  again: (q: Inquiry) => readonly StateFinding[],
  q: Inquiry,
  asked: Asked,
): Finding {
  const { finding, edit } = s
  if (!edit || !finding.remedy) return finding
  const after = inquiryOf(edit(q.network), q.objects, asked, traceAsked(edit(q.network), asked))
  const told = again(after).some((x) => x.finding.code === finding.code && x.finding.where.node === finding.where.node)
  const shares = sharesOf(after.branches, new Set())
  if (told || shares.failed > 1e-9 || shares.undecided > 1e-9) return finding
  const breaks = brokenBy(q.network, after.network, q.objects)
  return {
    ...finding,
    remedy: { ...finding.remedy, verified: breaks.length === 0, ...(breaks.length > 0 ? { breaks } : {}) },
  }
}

function inquiryOf(network: Network, objects: KubeObjects, asked: Asked, branches: readonly Branch[]): Inquiry {
  return {
    question: asked.question,
    protocol: asked.protocol,
    network,
    objects,
    branches,
    failures: failuresOf(network, branches),
  }
}

/** The inquiry for `asked` on this network. */
export function inquire(network: Network, objects: KubeObjects, asked: Asked, probes?: ProbeReport): Inquiry {
  const q = inquiryOf(network, objects, asked, traceAsked(network, asked))
  return probes ? { ...q, probes } : q
}

/** What the traces could not decide, as missing evidence. `settled`: why the name leads nowhere is known. */
function gaps(branches: readonly Branch[], asked: Asked, settled: boolean): Missing[] {
  const seen = new Set<string>()
  const out: Missing[] = []
  if (asked.unresolved !== undefined && !settled)
    out.push({
      artefact: `addresses of ${asked.unresolved}`,
      consequence: 'a name outside the cluster: give its address instead',
    })
  for (const b of branches)
    for (const t of [b.trace.forward, b.trace.reply])
      for (const u of t?.disposition === 'insufficient-info' ? t.unknowns : []) {
        if (seen.has(u)) continue
        seen.add(u)
        out.push({ artefact: u, consequence: 'this step cannot be decided' })
      }
  for (const b of branches) {
    const t = b.trace.forward
    if (t.disposition !== 'exits-network' || seen.has('outside')) continue
    seen.add('outside')
    out.push({
      artefact: 'the network outside',
      consequence: 'the packet leaves what was collected; --prove asks with real packets',
    })
  }
  return out
}

/**
 * One set of outcomes whose probabilities add up to 1: the name is not resolved, or it is and the connection goes one of
 * its ways.
 */
function inSequence(dns: readonly Branch[], own: readonly Branch[]): ConnectionTrace[] {
  const traces = own.map((b) => b.trace)
  if (dns.length === 0) return traces
  if (own.length === 0) return dns.map((b) => b.trace)
  const lost = dns.filter((b) => b.trace.disposition !== 'delivered').map((b) => b.trace)
  const resolved = 1 - lost.reduce((sum, t) => sum + t.probability, 0)
  if (resolved < 1e-9) return lost
  return [...lost, ...traces.map((t) => ({ ...t, probability: t.probability * resolved }))]
}

/** The Answer to an inquiry. `missing` is what was not collected for this question. */
export function conclude(q: Inquiry, asked: Asked): Answer {
  const explained = explainAll(q)
  const certain = new Set(
    explained.filter((e) => e.diagnosis.finding.severity === 'error').map((e) => e.failure.branch),
  )
  for (const f of q.failures) {
    const found = explain(f, q)
    if (found?.finding.severity === 'error') certain.add(f.branch)
  }
  const own = q.branches.filter((b) => b.stage !== 'dns')
  const dns = q.branches.filter((b) => b.stage === 'dns')
  const base = verdictOf(sharesOf(own, certain), q.probes)
  const names = dns.length > 0 ? verdictOf(sharesOf(dns, certain), undefined) : null
  let verdict = base.verdict
  let success = base.successProbability
  if (names?.verdict === 'unreachable') {
    verdict = 'unreachable'
    success = 0
  } else if (names?.verdict === 'partial' && (verdict === 'reachable' || verdict === 'partial')) {
    verdict = 'partial'
    success = success === null || names.successProbability === null ? null : success * names.successProbability
  } else if (names?.verdict === 'unknown' && verdict === 'reachable') verdict = 'unknown'
  const beside = STATE_CHECKS.flatMap((check) =>
    check(q).map((s) => ({ ...s, finding: verifiedState(s, check, q, asked) })),
  )
  const state = [
    ...beside,
    ...stateOnPath(q, verdict, [...explained.map((e) => e.diagnosis.finding), ...beside.map((s) => s.finding)]),
  ]
  // An answer from the wrong machine confirms a misdelivery rather than refuting it.
  const answered = probeAnswered(q) && !own.some(misdelivered)
  const refuted = answered && verdict === 'unreachable' ? refutation(q) : null
  if (refuted) {
    verdict = probeAlwaysAnswered(q) || !probeAnswered(q) ? 'reachable' : 'partial'
    success = null
  }
  // The packets of the probe vanish before they get to where the state has them die: the state's cause is not the first.
  const earlier = lostBeforePrediction(q) !== null
  const all = state.some((s) => s.hurts && (s.all === true || s.finding.code === 'underlay-drop'))
  const open = verdict === 'reachable' || (verdict === 'unknown' && state.some((s) => s.hurts && s.all === true))
  if (open && state.some((s) => s.hurts)) {
    verdict = all ? 'unreachable' : 'partial'
    // How many connections what was seen beside their way spoils, nothing tells.
    success = all ? 0 : null
  }
  const findings = [
    ...explained
      .map((e) => withPackets(verified(e, q.network, q.objects, asked), packetEvidence(q, e.failure)))
      .map((f) => (earlier && f.severity === 'error' ? { ...f, severity: 'warning' as const } : f)),
    ...state.map((s) => s.finding),
    ...(refuted ? [refuted] : []),
  ].map((f) => (refuted && f !== refuted && f.severity === 'error' ? { ...f, severity: 'warning' as const } : f))
  const cause = findings.find((f) => f.severity === 'error')
  const failing = verdict === 'unreachable' || verdict === 'partial'
  const proof = proofOf(q, verdict, cause)
  return {
    question: q.question,
    verdict,
    successProbability: verdict === 'unknown' ? null : success,
    rootCause: failing ? (cause?.code ?? null) : null,
    ...(q.probes ? { probes: answerProbes(q.probes) } : {}),
    ...(proof ? { proof } : {}),
    branches: inSequence(dns, own),
    findings,
    missing:
      verdict === 'reachable'
        ? []
        : gaps(
            q.branches.filter((b) => !certain.has(b)),
            asked,
            all,
          ),
  }
}

/**
 * What cluster checks find on the nodes and objects of the way. Where all is well only what hurts is told; and nothing
 * twice.
 */
function stateOnPath(q: Inquiry, verdict: Answer['verdict'], told: readonly Finding[]): StateFinding[] {
  const focus = nodesOf(q.branches)
  const { network, objects } = q
  return CLUSTER_CHECKS.flatMap((check) => check.find({ network, objects, focus }))
    .filter((f) => f.finding.severity !== 'info' && (verdict !== 'reachable' || f.hurts))
    .filter((f) => touches(f.concerns, q.branches))
    .filter((f) => !told.some((t) => saysTheSame(t, f.finding)))
    .map((f) => ({ ...f, hurts: f.hurts && f.finding.severity === 'error' }))
}

/** The same cause at the same place: the node, or the object where one of the two names no node. */
function saysTheSame(a: Finding, b: Finding): boolean {
  if (a.code !== b.code) return false
  if (a.where.node !== undefined && b.where.node !== undefined) return a.where.node === b.where.node
  return a.where.object === undefined || b.where.object === undefined || a.where.object === b.where.object
}

/** The finding with what the packets of the probe add to its proof. */
function withPackets(f: Finding, evidence: readonly Evidence[]): Finding {
  return evidence.length === 0
    ? f
    : { ...f, evidence: [...f.evidence.slice(0, 1), ...evidence, ...f.evidence.slice(1)] }
}

function answerProbes(report: ProbeReport): AnswerProbe[] {
  return report.results.map((r) => ({
    kind: r.kind,
    target: r.target,
    address: formatIp(r.address),
    sent: r.sent,
    answered: r.answered,
    ...(r.error === undefined ? {} : { error: r.error }),
    ...(r.milliseconds === undefined ? {} : { milliseconds: r.milliseconds }),
    ...(r.mtu === undefined || r.mtu.largest === 0 ? {} : { bytes: r.mtu.largest }),
    ...(r.senders?.[0] ? { refusedBy: formatIp(r.senders[0].from) } : {}),
    ...(r.blind === undefined ? {} : { notSeen: r.blind }),
    text: resultText(r),
    command: r.command,
  }))
}

function refutation(q: Inquiry): Finding {
  const answered = askedTries(q).filter((r) => r.answered > 0)
  return {
    code: 'prediction-refuted',
    severity: 'warning',
    title: 'real packets got an answer although the collected state says they should not',
    text: 'The state changed since it was collected, or it was read wrongly. The packets are right.',
    where: {},
    evidence: answered.map(probeProof),
  }
}
