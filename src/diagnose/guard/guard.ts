/** Judges declared expectations: by the policies for every connection, and on the real path for a sample of them. */
import type { PolicyCluster } from '../../intent/policy/cluster.ts'
import { policyCluster } from '../../intent/policy/cluster.ts'
import { evaluator } from '../../intent/policy/evaluate.ts'
import { policyMatrix, workloadNames } from '../../intent/policy/matrix/index.ts'
import type { PolicyEnd } from '../../intent/policy/result.ts'
import type { KubeObjects, PodObject } from '../../kubeobj/objects.ts'
import type { GuardConnection, GuardResult, GuardState } from '../../model/guard.ts'
import type { Network } from '../../model/network.ts'
import { type Following, follow, planFollowing } from './by-path.ts'
import { type Contrary, type PolicyJudgement, policyJudge } from './by-policy.ts'
import { dnsTarget } from './dns-target.ts'
import { type EndSet, type LookUp, selecting } from './ends.ts'
import type { Expectation } from './expectation.ts'
import { type Party, partyBook } from './parties.ts'
import { type Wants, wantedText, wantsOf } from './wanted.ts'

/** Why the policies decide as they do about one connection. */
export type Explain = (
  cluster: PolicyCluster,
  question: { readonly from: PolicyEnd; readonly to: PolicyEnd; readonly protocol: string; readonly port: number },
  names: { readonly from: string; readonly to: string },
) => Pick<GuardConnection, 'why' | 'rule' | 'place'>

export interface GuardInput {
  readonly objects: KubeObjects
  /** Null: only the policies judge. */
  readonly network: Network | null
  readonly file: string
  readonly expectations: readonly Expectation[]
  readonly lookUp: LookUp
  readonly explain: Explain
  /** Most connections followed for one expectation. */
  readonly most: number
}

/** Connections followed for all expectations together, at least one for each. */
const MOST_IN_ALL = 2000
const MOST_EXAMPLES = 5
const OUTCOMES = { reaches: 'allowed', blocked: 'denied', unknown: 'unknown' } as const
const DNS_PORT = { protocol: 'UDP', port: '53' }

interface Prepared {
  readonly e: Expectation
  /** With the port that `dns` means. */
  readonly asked: Expectation
  readonly from: readonly Party[]
  readonly to: readonly Party[]
  readonly toSet: EndSet
  readonly problems: readonly string[]
  readonly notes: readonly string[]
}

/** One result for each expectation, in their order. */
export function guard(input: GuardInput): GuardResult[] {
  const { expectations, network } = input
  const dns = expectations.some((e) => e.to.kind === 'dns') ? dnsTarget(input.objects) : null
  const objects = dns?.objects ?? input.objects
  const cluster = policyCluster(objects)
  const { select, hostPods } = selecting(cluster, input.lookUp, dns?.assumed ?? new Set())
  const nameOf = podNames(objects)
  const matrix = policyMatrix(cluster, { by: 'pod', workloadOf: () => null })
  const book = partyBook(matrix, nameOf)
  const judge = policyJudge(matrix, evaluator(cluster))

  const withoutDns = new Map<EndSet, EndSet>()
  /** Those who ask: not the DNS itself. */
  const clients = (from: EndSet, servers: EndSet): EndSet => {
    const known = withoutDns.get(from) ?? { ...from, pods: less(from.pods, servers.pods) }
    withoutDns.set(from, known)
    return known
  }
  const prepare = (e: Expectation): Prepared => {
    const fromSet = select(e.from)
    const isDns = e.to.kind === 'dns'
    const toSet = isDns && dns ? dns.set : select(e.to)
    const senders = isDns ? clients(fromSet, toSet) : fromSet
    const asked = isDns && e.ports.length === 0 ? { ...e, ports: [DNS_PORT] } : e
    const found = isDns && dns && e.ports.length === 0 ? dns.wants : wantsOf(asked, toSet.service)
    const wants: Wants = typeof found === 'string' ? () => [] : found
    const from = book.partiesOf(senders, null)
    const to = book.partiesOf(toSet, wants)
    const problems = [...fromSet.problems, ...toSet.problems]
    if (typeof found === 'string') problems.push(found)
    if (from.length === 0 && problems.length === 0) problems.push(`from selects nobody`)
    else if (isEmpty(toSet) && problems.length === 0) problems.push(`to selects nobody`)
    else if (to.length === 0 && problems.length === 0)
      problems.push(
        e.ports.length > 0
          ? `nothing there has a port ${e.ports.map((p) => p.port).join(' or ')}`
          : 'nothing there declares a port; give one',
      )
    const notes = isDns && dns ? [...dns.notes] : []
    if (!e.reaches && hostPods > 0 && e.from.kind !== 'reference')
      notes.push(
        `${hostPods} ${hostPods === 1 ? 'pod' : 'pods'} on the network of ${hostPods === 1 ? 'its node' : 'their nodes'} left out: policies do not hold ${hostPods === 1 ? 'it' : 'them'}`,
      )
    return { e, asked, from, to, toSet, problems, notes }
  }

  const prepared = expectations.map(prepare)
  const judged = prepared.map((p) => judge.judge(p.from, p.to, p.e.reaches))
  const example = (c: Contrary): GuardConnection => {
    const names = {
      from: c.fromPod ? nameOf(c.fromPod) : c.from.text,
      to: c.toPod ? nameOf(c.toPod) : c.to.text,
    }
    const question = { from: c.fromEnd, to: c.toEnd, protocol: c.protocol, port: c.port }
    return {
      ...names,
      to: withPort(names.to, c.port),
      protocol: c.protocol.toLowerCase(),
      outcome: OUTCOMES[c.outcome],
      ...input.explain(cluster, question, names),
    }
  }
  const byPolicy = (p: Prepared, j: PolicyJudgement): GuardResult => policyResult(input.file, p, j, example)
  if (network === null) return prepared.map((p, i) => byPolicy(p, judged[i]!))

  const most = Math.max(1, Math.min(input.most, Math.floor(MOST_IN_ALL / prepared.length)))
  const plans = prepared.map((p, i) =>
    planFollowing(
      p.asked,
      { from: p.from, to: p.to, service: p.toSet.service },
      judged[i]!,
      p.problems.length > 0 ? 0 : most,
    ),
  )
  const following = follow({ network, objects }, plans)
  return prepared.map((p, i) => {
    const j = judged[i]!
    const plan = plans[i]!
    if (p.problems.length > 0 || plan.questions.length === 0) return { ...byPolicy(p, j), followed: 0 }
    return pathResult(input.file, p, j, following(plan, p.e.reaches), plan.possible)
  })
}

const isEmpty = (s: EndSet) => s.pods.size === 0 && s.outside.length === 0 && s.special.length === 0
const less = (x: ReadonlySet<PodObject>, y: ReadonlySet<PodObject>) => new Set([...x].filter((p) => !y.has(p)))
const withPort = (text: string, port: number) => (text.includes(':') ? `[${text}]:${port}` : `${text}:${port}`)

/** Pods as references; one that stands for a workload by the workload's name. */
function podNames(objects: KubeObjects): (pod: PodObject) => string {
  const workload = workloadNames(objects)
  return (pod) => {
    const { uid, namespace, name } = pod.meta
    const standsFor = uid === '' && pod.phase === 'Unknown' ? workload(pod) : null
    return standsFor ?? `pod/${namespace || 'default'}/${name}`
  }
}

type Told = Pick<GuardResult, 'state' | 'reason' | 'against' | 'examples' | 'notes' | 'followed'>

function resultOf(file: string, { e, to }: Prepared, connections: number, told: Told): GuardResult {
  const ports = [...new Set(to.flatMap((t) => t.wanted))].map(wantedText)
  return {
    name: e.name,
    place: { file, line: e.line },
    from: e.fromText,
    to: e.toText,
    ports: [...new Set(ports)].filter((p) => !p.startsWith('every')).slice(0, 20),
    reaches: e.reaches,
    severity: e.severity,
    because: e.because,
    owner: e.owner,
    connections,
    ...told,
  }
}

/** An expectation about nobody: a failure, unless that was said to be right. */
function emptyOf({ e, problems, notes }: Prepared): Told | null {
  if (problems.length === 0) return null
  const why = [...new Set(problems)].slice(0, 3).join('; ')
  const rest = { against: 0, examples: [], notes, followed: null }
  if (e.allowEmpty) return { state: 'holds', reason: `it is about nobody (${why}), which allowEmpty permits`, ...rest }
  return { state: 'broken', reason: `it is about nobody: ${why}`, ...rest }
}

const many = (n: number, word: string) => `${n.toLocaleString('en-US')} ${word}${n === 1 ? '' : 's'}`

function policyResult(
  file: string,
  p: Prepared,
  j: PolicyJudgement,
  example: (c: Contrary) => GuardConnection,
): GuardResult {
  const { e, notes } = p
  const nobody = emptyOf(p)
  if (nobody) return resultOf(file, p, j.connections, nobody)
  const all = many(j.connections, 'connection')
  const shared = { notes, followed: null }
  if (j.broken > 0) {
    const said = e.reaches
      ? j.broken === 1
        ? 'is denied'
        : 'are denied'
      : j.broken === 1
        ? 'is allowed'
        : 'are allowed'
    const reason = `${j.broken.toLocaleString('en-US')} of ${all} ${said}`
    return resultOf(file, p, j.connections, {
      ...{ state: 'broken', reason, against: j.broken, examples: j.examples.broken.map(example) },
      ...shared,
    })
  }
  if (j.unknown > 0) {
    const reason = `${j.unknown.toLocaleString('en-US')} of ${all} cannot be decided`
    return resultOf(file, p, j.connections, {
      ...{ state: 'unknown', reason, against: j.unknown, examples: j.examples.unknown.map(example) },
      ...shared,
    })
  }
  // One pod and itself: a promise about no connection at all.
  if (j.connections === 0) {
    const reason = 'it is about no connection: from and to are the same single pod'
    const state: GuardState = e.allowEmpty ? 'holds' : 'broken'
    return resultOf(file, p, 0, { ...{ state, reason, against: 0, examples: [] }, ...shared })
  }
  const reason = `${all} ${e.reaches ? 'allowed' : 'denied'}`
  return resultOf(file, p, j.connections, { ...{ state: 'holds', reason, against: 0, examples: [] }, ...shared })
}

function pathResult(file: string, p: Prepared, j: PolicyJudgement, f: Following, possible: number): GuardResult {
  const { e } = p
  const notes = [...p.notes]
  const some =
    f.followed < possible ? `${f.followed} of ${many(possible, 'connection')}` : many(f.followed, 'connection')
  if (f.left)
    notes.push('followed to where packets leave the cluster; what becomes of them there is not in the evidence')
  if (f.keptBy.length > 0)
    notes.push(`some do not come through for another reason than policies: ${f.keptBy.join(', ')}`)
  if (f.broken.length === 0 && j.broken > 0 && e.reaches)
    notes.push(`the policies would deny ${many(j.broken, 'connection')}; on the nodes they are let through`)
  if (f.broken.length === 0 && j.broken > 0 && !e.reaches)
    notes.push(`the policies would allow ${many(j.broken, 'connection')}: it holds by accident`)
  const shared = { notes, followed: f.followed }
  const told = (state: GuardState, reason: string, list: readonly GuardConnection[]): Told => ({
    ...{ state, reason, against: list.length, examples: differing(list) },
    ...shared,
  })
  if (f.broken.length > 0) {
    const verb = e.reaches ? 'not come through' : 'come through'
    const reason = `${f.broken.length} of ${some} followed ${f.broken.length === 1 ? 'does' : 'do'} ${verb}`
    return resultOf(file, p, j.connections, told('broken', reason, f.broken))
  }
  if (f.unknown.length > 0) {
    const reason = `${f.unknown.length} of ${some} followed cannot be decided`
    return resultOf(file, p, j.connections, told('unknown', reason, f.unknown))
  }
  return resultOf(file, p, j.connections, told('holds', `${some} followed`, []))
}

/** The first of each cause, then others. */
function differing(list: readonly GuardConnection[]): readonly GuardConnection[] {
  const causes = new Map(list.map((c) => [`${c.code} ${c.why}`, c]).reverse() as [string, GuardConnection][])
  return [...new Set([...[...causes.values()].reverse(), ...list])].slice(0, MOST_EXAMPLES)
}
