/** The findings about kube-proxy's rules on one node, in words. */
import { formatEndpoint } from '../../../base/ip.ts'
import { protocolName } from '../../../base/protocol.ts'
import type { ServiceEndpoint } from '../../../intent/service/index.ts'
import type { KubeObjects } from '../../../kubeobj/objects.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { Remedy } from '../../../model/finding.ts'
import type { Netns } from '../../../model/network.ts'
import type { ClusterFinding, ClusterState, Concern } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import type { Code } from '../../codes.ts'
import type { Difference } from '../../intent/compare.ts'
import { withExpectedRules } from '../../intent/expected-rules.ts'
import type { Target } from '../../intent/lead.ts'
import type { Leftover } from '../../intent/leftovers.ts'
import { hasTraces, isProxyPod, type ProxyState } from '../../intent/proxy.ts'
import { serviceProof, sliceProof } from '../../view/object-proof.ts'
import { ownerOf } from '../../view/owner.ts'
import { slicesOf } from '../../view/service-view.ts'
import { shellWord } from '../../view/words.ts'

/** The node that is spoken of. */
export interface Place {
  readonly state: ClusterState
  readonly host: Netns
  readonly proxy: ProxyState
  /** How many nodes of the cluster lead any Service to an endpoint. */
  readonly nodesThatAnswer: number
}

/** A Service that still leads to addresses which are no endpoints of it. */
export interface Stale extends Difference {
  readonly gone: readonly Target[]
}

/** `namespace/name` of the Service. */
export const nameOf = (d: Difference) => `${d.service.namespace}/${d.service.service}`

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

/** The code and words of the cause, after a sentence on what the rules lack: they are out of date because kube-proxy is not there, or although it is. */
export function proxyCause(
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

/** Restarting kube-proxy on a node: by its pod where it has one. */
export function restartProxy(objects: KubeObjects, node: string): Omit<Remedy, 'verified'> {
  const pod = objects.pods.find((p) => isProxyPod(p) && p.nodeName === node)
  return {
    text: `Look at kube-proxy on ${node}: does it run, does it reach the API server, what does its log say of iptables-restore, nft or ipset? Then restart it; it writes all rules anew.`,
    ...(pod
      ? { commands: [`kubectl -n ${shellWord(pod.meta.namespace)} delete pod ${shellWord(pod.meta.name)}`] }
      : {}),
  }
}

/** None of the Services of a family (null: of any) leads anywhere on the node. */
export function nothingThere(place: Place, list: readonly Difference[], family: 4 | 6 | null): ClusterFinding {
  const { state, host, proxy } = place
  const { node } = host
  const traces = hasTraces(host)
  const told = proxyCause(proxy, node, traces ? 'kube-proxy-rules-missing' : 'kube-proxy-not-running')
  const others = place.nodesThatAnswer
  const first = list[0]
  const rules = family === null ? 'rules' : `IPv${family} rules`
  const ruleset =
    host.rulesets.find((r) => r.tables.some((t) => t.name === 'nat' || t.name === 'kube-proxy')) ?? host.rulesets[0]
  const tried = first ? ` (tried: ${nameOf(first)} at ${at(first)}, which should lead to ${targets(first.wanted)})` : ''
  const compared = others === 0 ? '' : ` ${others === 1 ? 'Another node has' : `${others} nodes have`} the rules.`
  return clusterFinding(told.code, {
    severity: 'error',
    title:
      told.code === 'kube-proxy-rules-missing'
        ? `${node} has no ${rules} for any Service: none of ${list.length} leads to an endpoint`
        : `kube-proxy does not run on ${node}: no Service leads to an endpoint there`,
    text: `Packets that pods and processes on ${node} send to a Service address are not turned towards any endpoint${tried}.${told.because}${family === null ? compared : ''}`,
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
    remedy: restartProxy(state.objects, node),
    edit: (n) => withExpectedRules(n, state.objects, node),
  })
}

/** Services some or all of whose endpoints the rules never send to. */
export function lacking(place: Place, list: readonly Difference[]): ClusterFinding {
  const { state, host, proxy } = place
  const { node } = host
  const told = proxyCause(proxy, node, 'kube-proxy-rules-missing')
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
    title: titled(told, node, title),
    text: `On ${node}: ${some(list, words)}. The EndpointSlices have these endpoints ready.${told.because}`,
    where: whereOf(place, one),
    concerns: concernsOf(list),
    evidence: [
      ...told.evidence,
      ...list
        .slice(0, 4)
        .flatMap((d) => [
          d.lead.targets[0]?.proof ?? d.lead.stopper ?? absence(host, d),
          ...objectProofs(state, d).slice(0, 1),
        ]),
    ],
    remedy: restartProxy(state.objects, node),
    edit: (n) => withExpectedRules(n, state.objects, node),
  })
}

function absence(host: Netns, d: Difference): Evidence {
  if (d.lead.server) return d.lead.server.evidence
  const ruleset = host.rulesets.find((r) =>
    r.tables.some((t) => t.name === 'kube-proxy' || t.chains.has('KUBE-SERVICES')),
  )
  return {
    artefact: (ruleset ?? host.rulesets[0])?.artefact ?? `nodes/${host.node}/host`,
    text: `no rule for ${at(d)}`,
  }
}

/** Services that still lead to addresses which are no endpoints any more. */
export function stale(place: Place, list: readonly Stale[]): ClusterFinding {
  const { state, host, proxy } = place
  const { node } = host
  const told = proxyCause(proxy, node, 'kube-proxy-rules-stale')
  const one = list.length === 1 ? list[0] : undefined
  const isGone = (t: Target) => ownerOf(state.network, state.objects, t.ip).kind !== 'pod'
  const share = (d: Stale) => d.gone.reduce((sum, t) => sum + t.share, 0)
  const fate = ({ gone }: Stale) =>
    gone.length === 1
      ? `which is ${gone.every(isGone) ? 'gone' : 'no endpoint of it'}`
      : `which are ${gone.every(isGone) ? 'gone' : 'no endpoints of it'}`
  const words = (d: Stale) =>
    `${percent(share(d))} of new connections to ${nameOf(d)} (${at(d)}) still go to ${targets(d.gone)}, ${fate(d)}${d.lacks.length > 0 ? `, and none to ${targets(d.lacks)}` : ''}`
  return clusterFinding(told.code, {
    severity: 'error',
    title: titled(
      told,
      node,
      one
        ? `${node} still sends Service ${nameOf(one)} to ${targets(one.gone)}, ${fate(one)}`
        : `${node} still sends ${list.length} Services to addresses that are no endpoints any more`,
    ),
    text: `On ${node}: ${some(list, words)}. The rules are older than the EndpointSlices.${told.because}`,
    where: whereOf(place, one),
    concerns: concernsOf(list),
    evidence: [
      ...told.evidence,
      ...list
        .slice(0, 4)
        .flatMap((d) => [...d.gone.slice(0, 2).map((t) => t.proof), ...objectProofs(state, d).slice(0, 1)]),
    ],
    remedy: restartProxy(state.objects, node),
    edit: (n) => withExpectedRules(n, state.objects, node),
  })
}

/** Endpoints that are not ready and still in the rules: a moment's delay, or a kube-proxy that does not follow. */
export function lagging({ state, host }: Place, list: readonly Difference[]): ClusterFinding {
  const { node } = host
  return clusterFinding('kube-proxy-rules-stale', {
    severity: 'info',
    title: `${node} still sends to endpoints that are not ready (${listed(list.map(nameOf))})`,
    text: `${some(list, (d) => `${nameOf(d)} still goes to ${targets(d.lagging)}`)}. Endpoints that just changed look like this for a second or two; when it stays, kube-proxy on ${node} does not follow.`,
    where: { node, netns: 'host' },
    concerns: concernsOf(list),
    evidence: list
      .slice(0, 4)
      .flatMap((d) => [...d.lagging.slice(0, 1).map((t) => t.proof), ...objectProofs(state, d).slice(0, 1)]),
  })
}

/** Addresses that are served although no Service has them. */
export function leftover({ host }: Place, list: readonly Leftover[]): ClusterFinding {
  const { node } = host
  const name = (l: Leftover) => `${formatEndpoint(l.front.ip, l.front.port)}/${protocolName(l.front.protocol)}`
  const what = list.length === 1 ? `${name(list[0]!)}, which` : `${list.length} Service addresses that`
  return clusterFinding('kube-proxy-rules-stale', {
    severity: 'info',
    title: `${node} still has rules for ${what} no Service has`,
    text: `${some(list, (l) => `${name(l)} still leads to ${targets(l.lead.targets)}`)}. Nobody should use these addresses now; they harm only when one is given to a new Service that kube-proxy on ${node} has not seen.`,
    where: { node, netns: 'host' },
    concerns: [{ kind: 'object' }],
    evidence: list.slice(0, 6).flatMap((l) => l.lead.targets.slice(0, 1).map((t) => t.proof)),
  })
}

/** Services a node in IPVS mode has no virtual server for, or whose address it does not take for its own. */
export function noServerFor(place: Place, list: readonly Difference[]): ClusterFinding {
  const { state, host, proxy } = place
  const { node } = host
  const told = proxyCause(proxy, node, 'ipvs-virtual-server-missing')
  const one = list.length === 1 ? list[0] : undefined
  const words = (d: Difference) =>
    d.lead.unbound
      ? `${at(d)} (${nameOf(d)}) has a virtual server, but no link of the node holds the address, so IPVS never sees the packet`
      : `no virtual server for ${at(d)} (${nameOf(d)})`
  return clusterFinding(told.code, {
    severity: 'error',
    title: titled(
      told,
      node,
      one
        ? one.lead.unbound
          ? `${node} does not hold the address of Service ${nameOf(one)}, so IPVS never gets its packets`
          : `IPVS on ${node} has no virtual server for Service ${nameOf(one)}`
        : `IPVS on ${node} does not serve ${list.length} Services`,
    ),
    text: `On ${node}: ${some(list, words)}.${told.because}`,
    where: whereOf(place, one),
    concerns: concernsOf(list),
    evidence: [
      ...told.evidence,
      ...list.slice(0, 4).flatMap((d) => [
        d.lead.unbound?.evidence ?? {
          artefact: host.ipvs[0]?.evidence.artefact ?? `nodes/${node}/host`,
          text: `no virtual server ${at(d)}`,
        },
        ...objectProofs(state, d).slice(0, 1),
      ]),
    ],
    remedy: restartProxy(state.objects, node),
    edit: (n) => withExpectedRules(n, state.objects, node),
  })
}

function titled(told: { readonly code: Code }, node: string, title: string): string {
  return told.code === 'kube-proxy-not-running' ? `kube-proxy does not run on ${node}: ${title}` : title
}

function whereOf({ host }: Place, one: Difference | undefined) {
  return { node: host.node, netns: 'host', ...(one ? { object: `Service ${nameOf(one)}` } : {}) }
}

const percent = (share: number) => `${Math.round(share * 100)} %`

function some<T>(list: readonly T[], words: (one: T) => string): string {
  const shown = list.slice(0, 6).map(words).join('; ')
  return list.length > 6 ? `${shown}; and ${list.length - 6} more` : shown
}
