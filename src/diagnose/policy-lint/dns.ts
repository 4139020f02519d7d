/** `policy-denies-dns`, `dns-tcp-blocked`, `policy-admin-denies-dns`: workloads isolated for egress against the DNS as it is. */
import {
  type DirectionResult,
  evaluatePolicy,
  type PolicyConsidered,
  type PolicyRef,
  type PolicyResult,
  type RuleConsidered,
} from '../../intent/policy/index.ts'
import type { NetworkPolicy } from '../../intent/policy/policy.ts'
import { ADMIN, BASELINE } from '../../intent/policy/stages.ts'
import type { KubeObjects, PodObject } from '../../kubeobj/objects.ts'
import type { Finding, Remedy } from '../../model/finding.ts'
import { type Correction, correct } from './correct.ts'
import { type DnsServers, dnsRule, dnsServers, hasNodeCache } from './dns-servers.ts'
import { dnsUnknown, isolating, standIns } from './dns-unknown.ts'
import { lintFinding, listed, placeOf } from './finding.ts'
import { isSubject, type LintPolicy, type LintWorld, namespaceOf } from './input.ts'
import { withPossibleAddresses } from './possible-address.ts'
import { podText } from './subjects.ts'
import { type WorkloadPods, workloads } from './workload.ts'

/** One finding at most for each workload. */
export function dns(world: LintWorld): Finding[] {
  const servers = dnsServers(world.objects)
  const made = standIns(world)
  const asked = [...workloads(world.objects.pods.filter(asksTheCluster)), ...made]
  if (!servers) return asked.flatMap((w) => dnsUnknown(w, world))
  const objects =
    made.length === 0
      ? servers.objects
      : { ...servers.objects, pods: [...servers.objects.pods, ...made.map((m) => m.pod)] }
  const inner: LintWorld = { ...world, objects }
  const addressed = withPossibleAddresses(objects, world, servers)
  return asked.flatMap((w) => (servers.pods.includes(w.pod) ? [] : judge(w, inner, servers, addressed)))
}

/** Pods with dnsPolicy Default ask the node's resolver, with None their own. */
function asksTheCluster(pod: PodObject): boolean {
  return isSubject(pod) && pod.dnsPolicy !== 'Default' && pod.dnsPolicy !== 'None'
}

function judge(w: WorkloadPods, world: LintWorld, servers: DnsServers, addressed: KubeObjects): Finding[] {
  const policies = isolating(w.pod, world)
  const ask = (server: PodObject, protocol: string, port: number) =>
    evaluatePolicy(addressed, {
      from: { kind: 'pod', namespace: namespaceOf(w.pod), name: w.pod.meta.name },
      to: { kind: 'pod', namespace: namespaceOf(server), name: server.meta.name },
      protocol,
      port,
    })
  // Alike DNS pods answer alike; a few speak for all.
  for (const server of servers.pods.slice(0, 4)) {
    const udp = ask(server, 'udp', servers.ports.UDP)
    const tcp = servers.ports.TCP === null ? udp : ask(server, 'tcp', servers.ports.TCP)
    const found = verdict({ w, world, servers, server, policies, udp, tcp })
    if (found) return [found]
  }
  return []
}

interface Judged {
  readonly w: WorkloadPods
  readonly world: LintWorld
  readonly servers: DnsServers
  readonly server: PodObject
  readonly policies: readonly LintPolicy[]
  readonly udp: PolicyResult
  readonly tcp: PolicyResult
}

function verdict(j: Judged): Finding | null {
  const { udp, tcp } = j
  if (udp.decision !== 'deny' && tcp.decision !== 'deny') return null
  const admin = byTier(udp.egress) ?? byTier(udp.ingress)
  if (admin) return deniedByTier(j, admin)
  if (udp.egress.decision === 'deny' || tcp.egress.decision === 'deny') {
    if (!udp.egress.isolated && !tcp.egress.isolated) return null
    return hasNodeCache(j.world.objects) ? withCache(j) : deniedByEgress(j)
  }
  return hasNodeCache(j.world.objects) ? null : deniedByIngress(j)
}

type Decided = NonNullable<DirectionResult['decidedBy']>

const byTier = (d: DirectionResult): Decided | null =>
  d.decision === 'deny' && d.decidedBy?.action === 'deny' && d.decidedBy.rule ? d.decidedBy : null

function deniedByTier(j: Judged, by: Decided): Finding {
  const { rule } = by
  const name = rule ? refName(rule.policy) : by.stage
  const admin = by.stage === ADMIN
  return lintFinding(admin ? 'policy-admin-denies-dns' : 'policy-denies-dns', 'warning', admin ? name : j.w.name, {
    title: `${name} denies ${j.w.name} the cluster DNS`,
    text: `Rule ${rule?.name} of ${name} (${by.stage}) denies port ${j.servers.ports.UDP} of ${podText(j.server)}, and every name looked up times out.${
      admin
        ? ' No NetworkPolicy can admit it again.'
        : by.stage === BASELINE
          ? ' A NetworkPolicy that admits it comes before.'
          : ''
    }`,
    evidence: rule ? [rule.policy.evidence] : [],
    remedy: {
      text: admin
        ? 'Accept or pass the DNS in a rule before it.'
        : 'Admit the DNS in a rule before it, or in a policy that is evaluated before.',
      verified: false,
    },
  })
}

/** NetworkPolicies by name alone, as everywhere; others with their kind. */
const refName = (p: PolicyRef) => {
  const name = p.namespace === '' ? p.name : `${p.namespace}/${p.name}`
  return p.kind === 'NetworkPolicy' ? name : `${p.kind} ${name}`
}

/** Some rule that was looked at admits pods, or any peer. */
function admitsPods(d: DirectionResult): boolean {
  const allows = d.considered.flatMap((c) => c.rules).filter((r) => r.action === 'allow')
  return allows.some((r) => r.peers.length === 0 || r.peers.some((p) => p.kind === 'pods' || p.kind === 'domains'))
}

/** What was meant to admit the DNS and does not. */
interface Case {
  readonly text: string
  /** The rule that was meant, to be changed in place. */
  readonly rule?: { readonly p: LintPolicy; readonly index: number }
  readonly add?: 'UDP' | 'TCP'
  readonly forgotten?: true
}

function caseOf(j: Judged): Case {
  const { udp, tcp, servers } = j
  const { UDP: port } = servers.ports
  const rules = rulesIn(udp.egress, j.policies)
  if (udp.egress.decision === 'deny' && tcp.egress.decision === 'allow') {
    const meant = rulesIn(tcp.egress, j.policies).find((r) => r.rule.matches === 'yes')
    const entry = meant?.p.policy.egress?.[meant.rule.index]?.ports
    const raw = meant && rawPorts(meant.p, meant.rule.index)
    const bare = entry !== null && raw?.some((x) => x.port === port && x.protocol === undefined)
    return {
      text: bare
        ? `A port without protocol is TCP: the rule with \`port: ${port}\` admits the DNS over TCP only, and names are asked for over UDP.`
        : `Only TCP port ${port} of the DNS is admitted, and names are asked for over UDP.`,
      ...(meant ? { rule: { p: meant.p, index: meant.rule.index } } : {}),
      add: 'UDP',
    }
  }
  for (const { p, rule } of rules) {
    const misses = rule.peers.flatMap((x) => x.misses)
    const portFits = rule.port !== 'no'
    const names53 = portFits || (rawPorts(p, rule.index)?.some((x) => x.port === 53) ?? false)
    const here = { rule: { p, index: rule.index } }
    if (rule.peer === 'yes' && !portFits) {
      const hint = rule.ports
        .flatMap((x) => x.misses)
        .find((m) => m.kind === 'number' && m.actual === port && m.from <= 53 && m.to >= 53)
      if (hint)
        return {
          ...here,
          text: `The rule names port 53, the port of the DNS Service; the pods behind it listen on ${port}, which is what policies see.`,
        }
      continue
    }
    if (!names53 || rule.ports.length === 0) continue
    const block = misses.find((m) => m.kind === 'outside-block' && m.service !== undefined)
    if (block?.kind === 'outside-block')
      return {
        ...here,
        text: `The rule names ${block.cidr}, the address of the DNS Service; it is translated to the address of a DNS pod before policies are evaluated.`,
      }
    if (misses.some((m) => m.kind === 'other-namespace') && rule.peers.some((x) => x.pod === 'yes'))
      return {
        ...here,
        text: `The rule for the DNS has a podSelector without a namespaceSelector: it looks in namespace ${p.policy.namespace}, and the DNS pods are in ${namespaceOf(j.server)}.`,
      }
    const label = misses.find((m) => m.kind === 'namespace-label')
    if (label?.kind === 'namespace-label')
      return {
        ...here,
        text: `The rule for port 53 asks for namespaces labelled ${label.requirement.key}=${label.requirement.values.join('|')}, and namespace ${label.namespace} has ${label.actual === null ? 'no such label' : `${label.requirement.key}=${label.actual}`}.`,
      }
    const pod = misses.find((m) => m.kind === 'pod-label')
    if (pod?.kind === 'pod-label')
      return {
        ...here,
        text: `The rule for port 53 asks for pods labelled ${pod.requirement.key}=${pod.requirement.values.join('|')}, and the DNS pods have ${pod.actual === null ? 'no such label' : `${pod.requirement.key}=${pod.actual}`}.`,
      }
  }
  return { text: `No rule admits port ${port} of the DNS pods.`, forgotten: true }
}

function rulesIn(d: DirectionResult, policies: readonly LintPolicy[]): { p: LintPolicy; rule: RuleConsidered }[] {
  return d.considered.flatMap((c: PolicyConsidered) => {
    const p = policies.find(
      (x) =>
        c.policy.kind === 'NetworkPolicy' &&
        x.policy.name === c.policy.name &&
        x.policy.namespace === c.policy.namespace,
    )
    return p ? c.rules.map((rule) => ({ p, rule })) : []
  })
}

function rawPorts(p: LintPolicy, index: number): readonly { port?: unknown; protocol?: unknown }[] | undefined {
  const spec = p.object.raw.spec as {
    egress?: readonly { ports?: readonly { port?: unknown; protocol?: unknown }[] }[]
  }
  const ports = spec.egress?.[index]?.ports
  return Array.isArray(ports) ? ports.filter((x) => typeof x === 'object' && x !== null) : undefined
}

function deniedByEgress(j: Judged): Finding {
  const { w, world, servers, policies, udp } = j
  const d = udp.egress.decision === 'deny' ? udp.egress : j.tcp.egress
  const names = d.policies.map(refName)
  const evidence = [
    ...policies.slice(0, 4).map((p) => placeOf(world, p.object, ['spec', 'egress'])),
    ...d.policies
      .filter((p) => p.kind !== 'NetworkPolicy')
      .map((p) => p.evidence)
      .slice(0, 4),
    servers.service.evidence,
  ]
  if (udp.egress.decision !== 'deny') {
    const meant = rulesIn(udp.egress, policies).find((r) => r.rule.matches === 'yes')
    return lintFinding('dns-tcp-blocked', 'info', w.name, {
      title: `${w.name} may ask the DNS over UDP and not over TCP`,
      text: `Answers too long for UDP are asked for again over TCP port ${servers.ports.TCP}, which no rule of ${listed(names)} admits: names with many addresses may fail.`,
      evidence: [...(meant ? [placeOf(world, meant.p.object, ['spec', 'egress', meant.rule.index])] : []), ...evidence],
      remedy: remedy(j, 'Admit TCP as well.', {
        text: '',
        add: 'TCP',
        ...(meant ? { rule: { p: meant.p, index: meant.rule.index } } : {}),
      }),
    })
  }
  const what = caseOf(j)
  const named = admitsPods(udp.egress)
  const severity = what.forgotten && !named ? 'info' : 'warning'
  return lintFinding('policy-denies-dns', severity, w.name, {
    title: `${w.name} cannot ask the cluster DNS: ${listed(names)} isolate${names.length === 1 ? 's' : ''} it for egress`,
    text: `${what.text} Every name it looks up times out.${
      what.forgotten
        ? named
          ? ' The rules admit peers that are usually called by name: the DNS was forgotten.'
          : ' Nothing else is admitted that would need names, so this may be meant.'
        : ''
    }${servers.madeUp ? ` The pods of Service ${servers.service.meta.namespace}/${servers.service.meta.name} are not here; they were judged by its selector.` : ''}`,
    evidence: [
      ...(what.rule ? [placeOf(world, what.rule.p.object, ['spec', 'egress', what.rule.index])] : []),
      ...evidence,
    ],
    remedy: remedy(
      j,
      what.forgotten && !named ? 'If it looks names up, admit the DNS.' : 'Admit UDP and TCP to the DNS pods.',
      what,
    ),
  })
}

/** The rule changed where that changes nothing else; otherwise a rule of its own in the first policy that isolates the workload. */
function remedy(j: Judged, text: string, what: Case): Remedy {
  const { servers, world } = j
  const p = what.rule?.p ?? ownPolicy(j)
  if (!p) return { text, verified: false }
  const rule = dnsRule(servers)
  const intended: Correction['intended'] = (c) =>
    c.change === 'gained' &&
    c.to.pod !== undefined &&
    servers.pods.includes(c.to.pod) &&
    c.port === (c.protocol === 'UDP' ? servers.ports.UDP : servers.ports.TCP)
  // A stand-in is no pod of the world; it is asked about here.
  const subjects = [j.w.pod, ...p.subjects.slice(0, 4)]
  const corrections: Correction[] = []
  if (what.add && what.rule) {
    const port = what.add === 'UDP' ? servers.ports.UDP : (servers.ports.TCP ?? 53)
    corrections.push({
      edits: [{ path: ['spec', 'egress', what.rule.index, 'ports'], append: { protocol: what.add, port } }],
      intended,
      subjects,
      others: servers.pods.slice(0, 2),
    })
  }
  corrections.push({
    edits: [{ path: ['spec', 'egress'], append: rule }],
    intended,
    subjects,
    others: servers.pods.slice(0, 2),
  })
  return correct(world, p, text, ...corrections)
}

/** The policy that selects fewest beside the workload: a rule in a policy for all pods admits for all pods. */
function ownPolicy(j: Judged): LintPolicy | undefined {
  const size = (p: NetworkPolicy) => p.podSelector.length
  return [...j.policies].sort(
    (x, y) =>
      Number((y.policy.egress?.length ?? 0) > 0) - Number((x.policy.egress?.length ?? 0) > 0) ||
      size(y.policy) - size(x.policy),
  )[0]
}

/** The cache is on the host network of the pod's own node: upstream lets a pod reach its node, some plugins do not. */
function withCache(j: Judged): Finding | null {
  const { policies, udp, w, world } = j
  const rules = policies.flatMap((p) => p.policy.egress ?? [])
  const admits = rules.some(
    (r) =>
      (r.peers === null || r.peers.some((x) => x.kind === 'ipBlock')) &&
      (r.ports === null ||
        r.ports.some((x) => x.kind === 'range' && x.protocol === 'UDP' && x.from <= 53 && x.to >= 53)),
  )
  if (admits || udp.egress.decision !== 'deny') return null
  return lintFinding('policy-denies-dns', 'info', w.name, {
    title: `Whether ${w.name} can ask NodeLocal DNSCache depends on the network plugin`,
    text: `No rule of ${listed(policies.map((p) => p.name))} admits port 53 by address. NodeLocal DNSCache answers on the pod's own node (169.254.20.10 or the DNS Service's address), where no selector finds it; upstream a pod always reaches its own node, some plugins apply egress policy there too.`,
    evidence: policies.slice(0, 4).map((p) => placeOf(world, p.object, ['spec', 'egress'])),
    remedy: {
      text: 'Admit UDP and TCP 53 to 169.254.20.10/32 and to the address of the DNS Service with an ipBlock.',
      verified: false,
    },
  })
}

function deniedByIngress(j: Judged): Finding | null {
  const { udp, tcp, w, server, world, servers } = j
  const denied = udp.ingress.decision === 'deny' ? udp.ingress : tcp.ingress
  if (denied.decision !== 'deny') return null
  const policies = world.policies.filter((p) =>
    denied.policies.some((d) => d.name === p.policy.name && d.namespace === p.policy.namespace),
  )
  const onlyTcp = udp.ingress.decision !== 'deny'
  return lintFinding(onlyTcp ? 'dns-tcp-blocked' : 'policy-denies-dns', onlyTcp ? 'info' : 'warning', w.name, {
    title: `${w.name} cannot ask the cluster DNS${onlyTcp ? ' over TCP' : ''}: the DNS pods are isolated for ingress`,
    text: `${listed(policies.map((p) => p.name))} isolate${policies.length === 1 ? 's' : ''} ${podText(server)}, and no rule admits this workload on port ${servers.ports.UDP}.`,
    evidence: policies.slice(0, 4).map((p) => placeOf(world, p.object, ['spec', 'ingress'])),
    remedy: { text: 'Admit every pod of the cluster on the DNS port in ingress of the DNS pods.', verified: false },
  })
}
