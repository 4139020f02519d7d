/** Cluster check: on each node, the endpoints Services should lead to next to those the rules lead to. One finding per node and cause. */
import { formatEndpoint } from '../../../base/ip.ts'
import { protocolName } from '../../../base/protocol.ts'
import type { ServiceEndpoint } from '../../../intent/service/index.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { ClusterCheck, ClusterFinding, ClusterState, Concern } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import type { Code } from '../../codes.ts'
import { compareNode, type Difference, type NodeComparison } from '../../intent/compare.ts'
import { aroundRules, leadOf, type Target } from '../../intent/lead.ts'
import { type Leftover, leftoversOf } from '../../intent/leftovers.ts'
import { hasTraces, type ProxyState, proxyOn } from '../../intent/proxy.ts'
import { serviceProof, sliceProof } from '../../view/object-proof.ts'
import { ownerOf } from '../../view/owner.ts'
import { slicesOf } from '../../view/service-view.ts'

export const kubeProxyRules: ClusterCheck = {
  name: 'kube-proxy-rules',
  find(state) {
    const { network, objects } = state
    if (!objects.known.has('Service') || !objects.known.has('EndpointSlice')) return []
    const compared: NodeComparison[] = []
    for (const node of network.nodes.keys()) {
      const one = compareNode(network, objects, node)
      if (one) compared.push(one)
    }
    const elsewhere = compared.filter((c) => c.answered > 0).length
    return compared.flatMap((c) => judgeNode(state, c, elsewhere))
  },
}

function judgeNode(state: ClusterState, c: NodeComparison, nodesThatAnswer: number): ClusterFinding[] {
  const node = c.host.node
  const proxy = proxyOn(state.network, state.objects, node)
  if (proxy.kind === 'replaced' && c.answered === 0 && (proxy.sure || nodesThatAnswer === 0)) return []
  const out: ClusterFinding[] = []
  if (c.asked > 0 && c.answered === 0) {
    const whole = nothingThere(state, c, proxy, nodesThatAnswer)
    return whole ? [whole] : []
  }
  const stale = perService(c.differences.filter((d) => goneTargets(state, c, d).length > 0))
  const lacking = perService(c.differences.filter((d) => d.lacks.length > 0 && !stale.some((s) => sameService(s, d))))
  const unbound = lacking.filter((d) => c.ipvs && d.lead.targets.length === 0 && !d.lead.server)
  const short = lacking.filter((d) => !unbound.includes(d))
  if (stale.length > 0) out.push(staleFinding(state, c, proxy, stale))
  if (short.length > 0) out.push(missingFinding(state, c, proxy, short))
  if (unbound.length > 0) out.push(virtualServersMissing(state, c, proxy, unbound))
  const slow = perService(c.differences.filter((d) => d.lagging.length > 0 && d.strays.length + d.lacks.length === 0))
  if (slow.length > 0) out.push(laggingFinding(state, c, slow))
  const left = leftoversOf(state.network, state.objects, c.host) ?? []
  if (left.length > 0) out.push(leftoverFinding(node, left))
  return out
}

/** The first difference of each Service stands for all its frontends. */
function perService(list: readonly Difference[]): Difference[] {
  const out: Difference[] = []
  const seen = new Set<string>()
  for (const d of list) {
    const key = nameOf(d)
    if (seen.has(key)) continue
    seen.add(key)
    out.push(d)
  }
  return out
}

const nameOf = (d: Difference) => `${d.service.namespace}/${d.service.service}`
const sameService = (x: Difference, y: Difference) => nameOf(x) === nameOf(y)

/**
 * Targets that kube-proxy should have taken out. Not those of a pod that is just being deleted, not a node's own address
 * (somebody redirects on purpose), and not those only a second back end's leftovers name (`backend-mixed`).
 */
function goneTargets(state: ClusterState, c: NodeComparison, d: Difference): Target[] {
  const { network, objects } = state
  return d.strays.filter((t) => {
    const owner = ownerOf(network, objects, t.ip)
    if (owner.kind === 'node' || owner.kind === 'service') return false
    if (owner.kind === 'pod' && owner.pod?.meta.deletionTimestamp !== undefined) return false
    return !isOtherBackend(c, d, t)
  })
}

/** Without the ruleset that holds the rule the Service works: the rule is a leftover in a back end nobody else uses. */
function isOtherBackend(c: NodeComparison, d: Difference, t: Target): boolean {
  const { rule } = t
  if (!rule) return false
  const rest = c.host.rulesets.filter((r) => r !== rule.ruleset)
  const lead = leadOf(aroundRules(c.host, rest), c.host, d.front, d.sender)
  const texts = new Set(lead.targets.map((x) => x.text))
  return d.wanted.length > 0 && d.wanted.every((e) => texts.has(e.text))
}

function serviceOf(state: ClusterState, d: Difference) {
  return state.objects.services.find(
    (s) => s.meta.namespace === d.service.namespace && s.meta.name === d.service.service,
  )
}

function objectProofs(state: ClusterState, d: Difference): Evidence[] {
  const service = serviceOf(state, d)
  if (!service) return []
  return [...slicesOf(state.objects, service).slice(0, 1).map(sliceProof), serviceProof(service)]
}

const concernsOf = (list: readonly Difference[]): Concern[] =>
  list.map((d) => ({ kind: 'service', namespace: d.service.namespace, name: d.service.service }))

function at(d: Difference): string {
  return `${formatEndpoint(d.front.ip, d.front.port)}/${protocolName(d.front.protocol)}`
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 6)
  return names.length > shown.length ? `${shown.join(', ')} and ${names.length - shown.length} more` : shown.join(', ')
}

const targets = (list: readonly (ServiceEndpoint | Target)[]) => listed(list.map((e) => e.text))

/** The code and words of the cause: rules are out of date because kube-proxy is not there, or although it is. */
function cause(
  proxy: ProxyState,
  node: string,
  code: Code,
): { readonly code: Code; readonly because: string; readonly evidence: readonly Evidence[] } {
  switch (proxy.kind) {
    case 'absent':
    case 'failing':
      return {
        code: 'kube-proxy-not-running',
        because: ` The reason: kube-proxy on ${node} ${proxy.why}.`,
        evidence: proxy.evidence,
      }
    case 'running':
    case 'unknown':
    case 'replaced':
      return { code, because: '', evidence: [] }
  }
}

const RESTART = (node: string) =>
  `Look at kube-proxy on ${node}: does it run, does it reach the API server, what does its log say of iptables-restore, nft or ipset? Then restart it; it writes all rules anew.`

function nothingThere(
  state: ClusterState,
  c: NodeComparison,
  proxy: ProxyState,
  nodesThatAnswer: number,
): ClusterFinding | null {
  const node = c.host.node
  const traces = hasTraces(c.host)
  // Rules of a back end that was not read may hold everything.
  if (!traces && !c.host.known.has('iptables-legacy')) return null
  // Where no node has rules and nothing says that kube-proxy should run, something else does its work.
  if (proxy.kind === 'unknown' && nodesThatAnswer === 0 && !(traces && state.objects.known.has('Pod'))) return null
  const told = cause(proxy, node, traces ? 'kube-proxy-rules-missing' : 'kube-proxy-not-running')
  const first = c.differences[0]
  const services = new Set(c.differences.map(nameOf)).size
  const ruleset =
    c.host.rulesets.find((r) => r.tables.some((t) => t.name === 'nat' || t.name === 'kube-proxy')) ?? c.host.rulesets[0]
  return clusterFinding(told.code, {
    severity: 'error',
    title:
      told.code === 'kube-proxy-rules-missing'
        ? `${node} has no rules for any Service: none of ${services} leads to an endpoint`
        : `kube-proxy does not run on ${node}: none of ${services} Services leads to an endpoint there`,
    text: `Packets that pods and processes on ${node} send to a Service address are not turned towards any endpoint${first ? ` (tried: ${nameOf(first)} at ${at(first)}, which should lead to ${targets(first.wanted)})` : ''}.${told.because}${nodesThatAnswer > 0 ? ` ${nodesThatAnswer === 1 ? 'Another node has' : `${nodesThatAnswer} other nodes have`} the rules.` : ''}`,
    where: { node, netns: 'host' },
    concerns: [{ kind: 'node', node }],
    evidence: [
      ...told.evidence,
      {
        artefact: ruleset?.artefact ?? `nodes/${node}/host`,
        text: `no rule leads ${first ? at(first) : 'a Service address'} to an endpoint`,
      },
      ...(first ? objectProofs(state, first) : []),
    ],
    remedy: { text: RESTART(node), commands: restartCommands(node) },
  })
}

function restartCommands(node: string): string[] {
  return [`kubectl -n kube-system delete pod -l k8s-app=kube-proxy --field-selector spec.nodeName=${node}`]
}

function missingFinding(
  state: ClusterState,
  c: NodeComparison,
  proxy: ProxyState,
  list: readonly Difference[],
): ClusterFinding {
  const node = c.host.node
  const told = cause(proxy, node, 'kube-proxy-rules-missing')
  const one = list.length === 1 ? list[0] : undefined
  const none = (d: Difference) => d.lead.targets.length === 0
  const words = (d: Difference) =>
    none(d)
      ? `${nameOf(d)} (${at(d)}) leads nowhere${d.lead.stopper ? `: ${d.lead.stopper.text}` : ''}`
      : `${nameOf(d)} (${at(d)}) never goes to ${targets(d.lacks)}${d.lead.untouched > 0 ? `, and ${percent(d.lead.untouched)} of new connections are not translated at all` : ''}`
  const title = one
    ? none(one)
      ? `${node} has no rule for Service ${nameOf(one)}${one.frontend.kind === 'clusterIP' ? '' : ` at ${at(one)}`}`
      : `${node} lacks ${one.lacks.length} of ${one.wanted.length} endpoints of ${nameOf(one)}`
    : `${node} lacks endpoints of ${list.length} Services`
  return clusterFinding(told.code, {
    severity: 'error',
    title,
    text: `On ${node}: ${list.slice(0, 6).map(words).join('; ')}${list.length > 6 ? `; and ${list.length - 6} more Services` : ''}. The EndpointSlices have these endpoints ready.${told.because}`,
    where: { node, netns: 'host', ...(one ? { object: `Service ${nameOf(one)}` } : {}) },
    concerns: concernsOf(list),
    evidence: [
      ...told.evidence,
      ...list
        .slice(0, 4)
        .flatMap((d) => [
          d.lead.targets[0]?.proof ?? d.lead.stopper ?? absence(c, d),
          ...objectProofs(state, d).slice(0, 1),
        ]),
    ],
    remedy: { text: RESTART(node), commands: restartCommands(node) },
  })
}

function absence(c: NodeComparison, d: Difference): Evidence {
  if (d.lead.server) return d.lead.server.evidence
  const ruleset = c.host.rulesets.find((r) =>
    r.tables.some((t) => t.name === 'kube-proxy' || t.chains.has('KUBE-SERVICES')),
  )
  return {
    artefact: (ruleset ?? c.host.rulesets[0])?.artefact ?? `nodes/${c.host.node}/host`,
    text: `no rule for ${at(d)}`,
  }
}

const percent = (share: number) => `${Math.round(share * 100)} %`

function staleFinding(
  state: ClusterState,
  c: NodeComparison,
  proxy: ProxyState,
  list: readonly Difference[],
): ClusterFinding {
  const node = c.host.node
  const told = cause(proxy, node, 'kube-proxy-rules-stale')
  const one = list.length === 1 ? list[0] : undefined
  const gone = (d: Difference) => goneTargets(state, c, d)
  const isGone = (t: Target) => ownerOf(state.network, state.objects, t.ip).kind !== 'pod'
  const share = (d: Difference) => gone(d).reduce((sum, t) => sum + t.share, 0)
  const fate = (d: Difference) => (gone(d).every(isGone) ? 'gone' : 'no endpoint of it')
  const words = (d: Difference) =>
    `${percent(share(d))} of new connections to ${nameOf(d)} (${at(d)}) still go to ${targets(gone(d))}, which is ${fate(d)}${d.lacks.length > 0 ? `; it lacks ${targets(d.lacks)}` : ''}`
  return clusterFinding(told.code, {
    severity: 'error',
    title: one
      ? `${node} still sends Service ${nameOf(one)} to ${targets(gone(one))}, which is ${fate(one)}`
      : `${node} still sends ${list.length} Services to addresses that are no endpoints any more`,
    text: `On ${node}: ${list.slice(0, 6).map(words).join('. ')}. The rules are older than the EndpointSlices.${told.because}`,
    where: { node, netns: 'host', ...(one ? { object: `Service ${nameOf(one)}` } : {}) },
    concerns: concernsOf(list),
    evidence: [
      ...told.evidence,
      ...list.slice(0, 4).flatMap((d) => [
        ...gone(d)
          .slice(0, 2)
          .map((t) => t.proof),
        ...objectProofs(state, d).slice(0, 1),
      ]),
    ],
    remedy: { text: RESTART(node), commands: restartCommands(node) },
  })
}

function laggingFinding(state: ClusterState, c: NodeComparison, list: readonly Difference[]): ClusterFinding {
  const node = c.host.node
  return clusterFinding('kube-proxy-rules-stale', {
    severity: 'info',
    title: `${node} still sends to endpoints that are no longer ready (${listed(list.map(nameOf))})`,
    text: `${list
      .slice(0, 6)
      .map((d) => `${nameOf(d)} still goes to ${targets(d.lagging)}`)
      .join(
        '; ',
      )}. Endpoints that just changed look like this for a second or two; when it stays, kube-proxy on ${node} does not follow.`,
    where: { node, netns: 'host' },
    concerns: concernsOf(list),
    evidence: list
      .slice(0, 4)
      .flatMap((d) => [...d.lagging.slice(0, 1).map((t) => t.proof), ...objectProofs(state, d).slice(0, 1)]),
  })
}

function leftoverFinding(node: string, list: readonly Leftover[]): ClusterFinding {
  const name = (l: Leftover) => `${formatEndpoint(l.front.ip, l.front.port)}/${protocolName(l.front.protocol)}`
  return clusterFinding('kube-proxy-rules-stale', {
    severity: 'info',
    title: `${node} still has rules for ${list.length === 1 ? `${name(list[0]!)}, which no Service has` : `${list.length} Service addresses that no Service has`}`,
    text: `${list
      .slice(0, 6)
      .map((l) => `${name(l)} still leads to ${targets(l.lead.targets)}`)
      .join(
        '; ',
      )}. Nobody should use these addresses now; they harm only when one is given to a new Service that kube-proxy on ${node} has not seen.`,
    where: { node, netns: 'host' },
    concerns: [{ kind: 'object' }],
    evidence: list.slice(0, 6).flatMap((l) => l.lead.targets.slice(0, 1).map((t) => t.proof)),
  })
}

function virtualServersMissing(
  state: ClusterState,
  c: NodeComparison,
  proxy: ProxyState,
  list: readonly Difference[],
): ClusterFinding {
  const node = c.host.node
  const told = cause(proxy, node, 'ipvs-virtual-server-missing')
  const one = list.length === 1 ? list[0] : undefined
  const words = (d: Difference) =>
    d.lead.unbound
      ? `${at(d)} (${nameOf(d)}) has a virtual server, but no link of the node holds the address, so IPVS never sees the packet`
      : `no virtual server for ${at(d)} (${nameOf(d)})`
  return clusterFinding(told.code, {
    severity: 'error',
    title: one
      ? one.lead.unbound
        ? `${node} does not hold the address of Service ${nameOf(one)}, so IPVS never gets its packets`
        : `IPVS on ${node} has no virtual server for Service ${nameOf(one)}`
      : `IPVS on ${node} does not serve ${list.length} Services`,
    text: `On ${node}: ${list.slice(0, 6).map(words).join('; ')}.${told.because}`,
    where: { node, netns: 'host', ...(one ? { object: `Service ${nameOf(one)}` } : {}) },
    concerns: concernsOf(list),
    evidence: [
      ...told.evidence,
      ...list
        .slice(0, 4)
        .flatMap((d) => [
          d.lead.unbound?.evidence ?? {
            artefact: c.host.ipvs[0]?.evidence.artefact ?? `nodes/${node}/host`,
            text: `no virtual server ${at(d)}`,
          },
          ...objectProofs(state, d).slice(0, 1),
        ]),
    ],
    remedy: { text: RESTART(node), commands: restartCommands(node) },
  })
}
