/** The packet was sent on to an address that is no endpoint of the Service asked for: who did that? */
import { formatEndpoint, formatIp, ipEquals } from '../../../base/ip.ts'
import type { ConntrackEntry } from '../../../model/conntrack.ts'
import type { Step } from '../../../model/trace.ts'
import { decisive, diagnosis } from '../../finding.ts'
import type { Check, Diagnosis, Failure, Inquiry } from '../../inquiry.ts'
import { withExpectedRules } from '../../intent/expected-rules.ts'
import { proxyOn } from '../../intent/proxy.ts'
import { withNetns, withoutRule } from '../../remedy/edit.ts'
import { serviceProof } from '../../view/object-proof.ts'
import { ownerOf } from '../../view/owner.ts'
import { ruleOwner } from '../../view/rule-owner.ts'
import { backendsOf, type Frontend, frontendAsked, serviceName, usableBackends } from '../../view/service-view.ts'
import { proxyCause, restartProxy } from './kube-proxy-words.ts'

interface Detour {
  readonly front: Frontend
  readonly netns: string
  readonly node: string
  /** The step that translated the destination. */
  readonly step: Step
}

/** The step at which the destination became something that is not an endpoint of the Service asked for. */
function detour(f: Failure, q: Inquiry): Detour | null {
  // Endpoints that were not read are not endpoints that are gone.
  if (f.direction === 'reply' || !q.objects.known.has('EndpointSlice')) return null
  const first = f.trace.hops[0]?.steps[0]
  const front = first ? frontendAsked(q, first.packet) : null
  if (!first || !front) return null
  let before = first.packet
  for (const hop of f.trace.hops)
    for (const step of hop.steps) {
      const changed = !ipEquals(step.packet.dst, before.dst) || step.packet.dport !== before.dport
      if (changed) {
        const to = step.packet
        const backends = usableBackends(backendsOf(q.objects, front.service, front.port))
        const good = backends.some((b) => ipEquals(b.ip, to.dst) && b.port === to.dport)
        return good ? null : { front, netns: hop.netns, node: hop.node, step }
      }
      before = step.packet
    }
  return null
}

function backend(artefact: string): 'legacy' | 'nft' | null {
  if (artefact.includes('iptables-legacy-save') || artefact.includes('ip6tables-legacy-save')) return 'legacy'
  return artefact.includes('iptables-save') || artefact.includes('ip6tables-save') || artefact.includes('nft-ruleset')
    ? 'nft'
    : null
}

/** `backend-mixed`: the rule that decided lives in one iptables back end, kube-proxy writes the other. */
const backendMixed: Check = {
  name: 'backend-mixed',
  explain(f, q) {
    const d = detour(f, q)
    const proof = d ? decisive(d.step)[0] : undefined
    if (!d || !proof) return null
    const mine = backend(proof.artefact)
    const netns = q.network.netns.get(d.netns)
    const others = netns?.rulesets.filter((r) => {
      const theirs = backend(r.artefact)
      return (
        theirs !== null &&
        theirs !== mine &&
        r.tables.some((t) => t.chains.has('KUBE-SERVICES') || t.name === 'kube-proxy')
      )
    })
    if (mine === null || !others || others.length === 0) return null
    const { table, chain } = d.step
    const line = proof.line
    const tool = `${d.step.packet.src.family === 6 ? 'ip6tables' : 'iptables'}-${mine}`
    const rule = (d.step.rule ?? '').replace(/^\[\d+:\d+\]\s*/, '')
    return diagnosis(f, 'backend-mixed', {
      title: `an old rule in iptables-${mine} on ${d.node} sends Service ${serviceName(d.front.service)} to ${formatEndpoint(d.step.packet.dst, d.step.packet.dport)}, which is no endpoint`,
      text: `Both iptables back ends are active in the kernel of ${d.node}. kube-proxy keeps its rules in iptables-${mine === 'legacy' ? 'nft' : 'legacy'}; the rule in iptables-${mine} is a leftover that is reached first and translates to an address no endpoint has.`,
      evidence: [
        ...d.step.evidence,
        ...(others[0] ? [{ artefact: others[0].artefact, text: 'kube-proxy writes here' }] : []),
      ],
      where: { node: d.node, netns: 'host' },
      remedy: {
        text: `Flush the tables of the back end nobody should use (iptables-${mine}), and make kube-proxy, kubelet and the CNI use one.`,
        commands: rule.startsWith('-A ') ? [`${tool} -t ${table ?? 'nat'} -D ${rule.slice(3)}`] : [`${tool} -t nat -F`],
      },
      ...(table !== undefined && chain !== undefined && line !== undefined
        ? { edit: (n) => withoutRule(n, d.netns, { artefact: proof.artefact, table, chain, line }) }
        : {}),
    })
  },
}

function entryBehind(q: Inquiry, d: Detour): ConntrackEntry | undefined {
  const to = d.step.packet
  return q.network.netns
    .get(d.netns)
    ?.conntrack.find(
      (e) =>
        e.original.protocol === to.protocol &&
        ipEquals(e.reply.src, to.dst) &&
        e.reply.sport === to.dport &&
        e.original.sport === to.sport,
    )
}

/** `conntrack-stale`: an entry from before keeps sending this connection to an endpoint that is gone. */
const conntrackStale: Check = {
  name: 'conntrack-stale',
  explain(f, q) {
    const d = detour(f, q)
    const entry = d ? entryBehind(q, d) : undefined
    if (!d || !entry) return null
    const to = d.step.packet
    return diagnosis(f, 'conntrack-stale', {
      title: `a conntrack entry on ${d.node} still sends this connection to ${formatIp(to.dst)}, which is gone`,
      text: `The entry was made when ${formatIp(to.dst)} was an endpoint of ${serviceName(d.front.service)}. Every packet refreshes it, so rules are never asked again.`,
      evidence: entry.evidence ? [entry.evidence] : [],
      where: { node: d.node, netns: 'host' },
      remedy: {
        text: 'Delete the entry; a kube-proxy of 1.32 or newer reconciles such entries itself.',
        commands: [
          `conntrack -D -p ${to.protocol === 17 ? 'udp' : 'tcp'} --orig-dst ${formatIp(entry.original.dst)} --reply-src ${formatIp(to.dst)}`,
        ],
      },
      edit: (n) => withNetns(n, d.netns, (x) => ({ ...x, conntrack: x.conntrack.filter((e) => e !== entry) })),
    })
  },
}

/** A rule that is not kube-proxy's and takes the packets of a Service: restarting kube-proxy would not remove it. */
function anothersRule(f: Failure, d: Detour, rule: Parameters<typeof withoutRule>[2]): Diagnosis {
  const to = formatEndpoint(d.step.packet.dst, d.step.packet.dport)
  const name = serviceName(d.front.service)
  const text = (d.step.rule ?? '').replace(/^\[\d+:\d+\]\s*/, '')
  const tool = `${d.step.packet.src.family === 6 ? 'ip6tables' : 'iptables'}${rule.artefact?.includes('legacy') ? '-legacy' : ''}`
  return diagnosis(f, 'kube-proxy-rules-stale', {
    title: `a rule on ${d.node} sends Service ${name} to ${to}, which is no endpoint`,
    text: `The EndpointSlices of ${name} do not list ${to}. The rule stands in chain ${rule.chain}, which is none of kube-proxy's: somebody else wrote it, and it is reached before kube-proxy's rules.`,
    evidence: [...decisive(d.step), serviceProof(d.front.service)],
    where: { node: d.node, netns: 'host', object: `Service ${name}` },
    remedy: {
      text: 'Remove the rule, or correct it where it comes from.',
      ...(text.startsWith('-A ') ? { commands: [`${tool} -t ${rule.table} -D ${text.slice(3)}`] } : {}),
    },
    edit: (n) => withoutRule(n, d.netns, rule),
  })
}

/** `kube-proxy-rules-stale`: kube-proxy's own rules point at an address the EndpointSlices no longer hold. */
const rulesStale: Check = {
  name: 'kube-proxy-rules-stale',
  explain(f, q) {
    const d = detour(f, q)
    if (!d) return null
    const to = d.step.packet
    if (ownerOf(q.network, q.objects, to.dst).kind === 'node') return null
    const { table, chain } = d.step
    const proof = decisive(d.step)[0]
    if (
      proof?.line !== undefined &&
      table !== undefined &&
      chain !== undefined &&
      ruleOwner(table, chain) !== 'kube-proxy'
    )
      return anothersRule(f, d, { artefact: proof.artefact, table, chain, line: proof.line })
    const told = proxyCause(proxyOn(q.network, q.objects, d.node), d.node, 'kube-proxy-rules-stale')
    return diagnosis(f, told.code, {
      title: `the rules on ${d.node} send Service ${serviceName(d.front.service)} to ${formatEndpoint(to.dst, to.dport)}, which is no endpoint`,
      text: `The EndpointSlices of ${serviceName(d.front.service)} do not list ${formatEndpoint(to.dst, to.dport)}: the rules on ${d.node} are older than the objects.${told.because}`,
      evidence: [...decisive(d.step), ...told.evidence, serviceProof(d.front.service)],
      where: { node: d.node, netns: 'host', object: `Service ${serviceName(d.front.service)}` },
      remedy: restartProxy(q.objects, d.node),
      edit: (n) => withExpectedRules(n, q.objects, d.node),
    })
  },
}

export const translatedWrong: readonly Check[] = [backendMixed, conntrackStale, rulesStale]
