/** `service-target-port-wrong` and `service-selector-too-broad` without a question: endpoints that do not listen. */
import { isLoopback } from '../../../base/ip.ts'
import { protocolNumber } from '../../../base/protocol.ts'
import type { ServiceObject, ServicePort } from '../../../kubeobj/objects.ts'
import type { Netns, Socket } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { podProof, serviceProof, sliceProof } from '../../view/object-proof.ts'
import { hostNetns, netnsOfPod } from '../../view/owner.ts'
import { podName, workloadOf } from '../../view/pod-view.ts'
import { type Backend, backendsOf, serviceName } from '../../view/service-view.ts'
import { shellWord } from '../../view/words.ts'
import { listeners } from './listener.ts'

interface Seen {
  readonly backend: Backend
  readonly open: readonly Socket[]
  readonly listens: boolean
}

export const serviceTargets: ClusterCheck = {
  name: 'service-targets',
  find(state) {
    // A question meets the same judgement in the check of its failure, without reading every pod's sockets.
    if (state.focus !== undefined) return []
    return state.objects.services.flatMap((s) => s.ports.flatMap((p) => judge(state, s, p)))
  },
}

function judge(state: ClusterState, s: ServiceObject, p: ServicePort): ClusterFinding[] {
  const protocol = protocolNumber(p.protocol)
  if (protocol === null || s.selector === null) return []
  const seen = backendsOf(state.objects, s, p)
    .filter((b) => b.ready)
    .flatMap((backend): Seen[] => {
      const netns = netnsOf(state, backend)
      if (!netns?.known.has('sockets') || redirected(netns)) return []
      const all = listeners(netns, protocol)
      const listens = all.some((x) => x.localPort === backend.port)
      return [{ backend, listens, open: all.filter((x) => !isLoopback(x.local)) }]
    })
  const deaf = seen.filter((x) => !x.listens)
  const hearing = seen.filter((x) => x.listens)
  if (deaf.length === 0) return []
  const shared = {
    where: { object: `Service ${serviceName(s)}` },
    concerns: [{ kind: 'service' as const, namespace: s.meta.namespace, name: s.meta.name }],
  }
  const first = deaf[0] as Seen
  const evidence = [
    serviceProof(s),
    sliceProof(first.backend.slice),
    first.backend.pod ? podProof(first.backend.pod) : undefined,
    ...first.open.slice(0, 4).map((x) => x.evidence),
  ]
  if (hearing.length === 0) return [wrongPort(s, p, seen, first, { ...shared, evidence })]
  const strangers = deaf.filter((d) => hearing.every((h) => stranger(h.backend, d.backend)))
  if (strangers.length === 0) return []
  const names = strangers.map((d) => d.backend.pod?.meta.name ?? d.backend.address)
  return [
    clusterFinding('service-selector-too-broad', {
      severity: 'error',
      title: `Service ${serviceName(s)} also selects ${names.slice(0, 3).join(', ')}, which do${names.length === 1 ? 'es' : ''} not listen on ${first.backend.port}`,
      text: `Its selector (${pairs(s)}) picks ${hearing
        .map((h) => h.backend.pod?.meta.name)
        .slice(0, 3)
        .join(
          ', ',
        )}, which listen, and pods of another kind, which do not. About ${strangers.length} connection${strangers.length === 1 ? '' : 's'} in ${seen.length} ${strangers.length === 1 ? 'is' : 'are'} refused; trying again helps by chance.`,
      ...shared,
      evidence,
      remedy: {
        text: 'Add a label to the selector that only the right pods carry.',
        ...narrower(s, hearing, strangers),
      },
    }),
  ]
}

function wrongPort(
  s: ServiceObject,
  p: ServicePort,
  seen: readonly Seen[],
  first: Seen,
  shared: Pick<Parameters<typeof clusterFinding>[1], 'where' | 'concerns' | 'evidence'>,
): ClusterFinding {
  const ports = [...new Set(first.open.map((x) => x.localPort))]
  const common = ports.filter((n) => seen.every((x) => x.open.some((o) => o.localPort === n)))
  const [only] = common
  const patch = JSON.stringify([{ op: 'replace', path: `/spec/ports/${s.ports.indexOf(p)}/targetPort`, value: only }])
  return clusterFinding('service-target-port-wrong', {
    severity: 'error',
    title: `Service ${serviceName(s)} sends to port ${first.backend.port}, where its pods do not listen`,
    text: `Service ${serviceName(s)} maps port ${p.port} to targetPort ${p.targetPort}. ${first.backend.pod ? `Pod ${podName(first.backend.pod)}` : first.backend.address} listens on ${ports.slice(0, 6).join(', ') || 'no port'}. The endpoints are there; the refusal comes from the pods' own kernel.`,
    ...shared,
    remedy: {
      text:
        common.length === 1
          ? `Set targetPort to ${only}.`
          : 'Set targetPort to the port the container listens on, or start the program.',
      ...(common.length === 1
        ? {
            commands: [
              `kubectl -n ${shellWord(s.meta.namespace)} patch service ${shellWord(s.meta.name)} --type json -p ${shellWord(patch)}`,
            ],
          }
        : {}),
    },
  })
}

function netnsOf({ network }: ClusterState, b: Backend): Netns | undefined {
  if (!b.pod) return undefined
  if (b.pod.hostNetwork) return b.pod.nodeName === undefined ? undefined : hostNetns(network, b.pod.nodeName)
  return netnsOfPod(network, b.pod.meta.namespace, b.pod.meta.name)
}

/** The pod translates what arrives (a mesh, a port map of its own): the port asked for need not be one that is open. */
function redirected(netns: Netns): boolean {
  return (
    netns.kind === 'pod' &&
    netns.rulesets.some((r) =>
      r.tables.some((t) =>
        [...t.chains.values()].some((c) =>
          c.rules().some((x) => x.parts.some((part) => ['redirect', 'nat', 'tproxy', 'opaque'].includes(part.kind))),
        ),
      ),
    )
  )
}

/** Of another workload, or without the port that the hearing one declares. */
function stranger(hearing: Backend, deaf: Backend): boolean {
  if (!hearing.pod || !deaf.pod) return false
  const declares = (b: Backend) =>
    b.pod?.containers.some((c) => c.ports.some((x) => x.containerPort === b.port)) === true
  return workloadOf(hearing.pod) !== workloadOf(deaf.pod) || (declares(hearing) && !declares(deaf))
}

/** A label all hearing pods share and no stranger has. */
function narrower(s: ServiceObject, hearing: readonly Seen[], strangers: readonly Seen[]) {
  const of = (x: Seen) => x.backend.pod?.meta.labels ?? {}
  const label = Object.entries(of(hearing[0] as Seen)).find(
    ([k, v]) =>
      k !== 'pod-template-hash' &&
      !(k in (s.selector ?? {})) &&
      hearing.every((h) => of(h)[k] === v) &&
      strangers.every((d) => of(d)[k] !== v),
  )
  if (!label) return {}
  const patch = JSON.stringify({ spec: { selector: { [label[0]]: label[1] } } })
  return {
    commands: [
      `kubectl -n ${shellWord(s.meta.namespace)} patch service ${shellWord(s.meta.name)} --type merge -p ${shellWord(patch)}`,
    ],
  }
}

function pairs(s: ServiceObject): string {
  return Object.entries(s.selector ?? {})
    .map(([k, v]) => `${k}=${v}`)
    .join(',')
}
