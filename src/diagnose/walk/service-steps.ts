/** The checks of a Service, in the order of reference D3 and E1: object, port, pods, endpoints, target port, kube-proxy, hairpin. */
import { formatEndpoint } from '../../base/ip.ts'
import { protocolName } from '../../base/protocol.ts'
import type { ServiceObject, ServicePort } from '../../kubeobj/objects.ts'
import type { Answer } from '../../model/finding.ts'
import type { Inquiry, Target } from '../inquiry.ts'
import { podProof, serviceProof, sliceProof } from '../view/object-proof.ts'
import {
  type Backend,
  backendsOf,
  frontendOf,
  selectedPods,
  serviceName,
  slicesOf,
  usableBackends,
} from '../view/service-view.ts'
import { count, type Draft, draft, failedBy, findingOf, notReached, some } from './draft.ts'
import { type Fate, said } from './fate.ts'

interface Asked {
  readonly service: ServiceObject
  /** Undefined: the Service does not publish the port that was asked for. */
  readonly port: ServicePort | undefined
  readonly by: 'cluster-ip' | 'external' | 'node-port'
}

/** The Service a target means, by its object or by the address and port that were given. */
export function serviceAsked(q: Inquiry, target: Target): Asked | null {
  const front = target.port === null ? null : frontendOf(q, target.ip, target.port, q.protocol)
  if (front) return front
  const service = target.service
  if (!service) return null
  const name = protocolName(q.protocol)
  const port = service.ports.find((p) => p.port === target.port && p.protocol.toLowerCase() === name)
  return { service, port, by: 'cluster-ip' }
}

/** Every check of the Service. `fates` are the choices of the connection itself. */
export function serviceSteps(q: Inquiry, asked: Asked, fates: readonly Fate[], answer: Answer): Draft[] {
  const { service, port } = asked
  const out = [existsStep(asked)]
  const front = frontendStep(asked)
  if (front) out.push(front)
  out.push(portStep(q, asked, answer))
  out.push(...podsSteps(q, service, answer))
  if (port) {
    out.push(endpointsStep(q, service, port, answer), targetPortStep(q, service, port, answer))
    out.push(proxyStep(q, asked, port, fates, answer))
    const hairpin = hairpinStep(fates, answer)
    if (hairpin) out.push(hairpin)
  }
  return out
}

function existsStep({ service }: Asked): Draft {
  const ips = service.clusterIPs.join(', ')
  const text = ips === 'None' ? 'headless, no address of its own' : ips || 'no ClusterIP'
  return draft('service.exists', `Service ${serviceName(service)} exists`, 'ok', `${service.type}, ${text}`, [
    serviceProof(service),
  ])
}

/** How a client outside gets at it: node port or load balancer address. */
function frontendStep({ service, port, by }: Asked): Draft | null {
  const proof = [serviceProof(service)]
  if (by === 'node-port')
    return draft(
      'service.frontend',
      'The NodePort belongs to the Service',
      'ok',
      `${port?.nodePort} on every node`,
      proof,
    )
  if (service.type !== 'LoadBalancer') return null
  const given = service.loadBalancerIngress.map((i) => i.ip ?? i.hostname ?? '').filter((a) => a !== '')
  return given.length > 0
    ? draft('service.frontend', 'The load balancer has given it an address', 'ok', given.join(', '), proof)
    : draft(
        'service.frontend',
        'The load balancer has given it an address',
        by === 'external' ? 'failed' : 'unknown',
        'status.loadBalancer is empty: no controller has answered (inside the cluster the ClusterIP works without it)',
        proof,
      )
}

function portStep(q: Inquiry, { service, port }: Asked, answer: Answer): Draft {
  const title = 'It publishes the port'
  const found = findingOf(answer, ['service-port-missing'])
  if (found) return failedBy('service.port', title, found)
  const ports = service.ports.map((p) => `${p.port}/${p.protocol}`)
  if (port)
    return draft('service.port', title, 'ok', `${port.port}/${port.protocol} → ${port.targetPort}`, [
      serviceProof(service),
    ])
  const wanted = q.question.port === null ? q.question.protocol : `${q.question.port}/${q.question.protocol}`
  return draft('service.port', title, 'failed', `${wanted} is not published; it has ${some(ports) || 'no ports'}`, [
    serviceProof(service),
  ])
}

function podsSteps(q: Inquiry, service: ServiceObject, answer: Answer): Draft[] {
  const titles = ['The selector picks pods', 'The pods are Ready'] as const
  if (service.selector === null)
    return [draft('service.selector', titles[0], 'skipped', 'no selector: its endpoints are kept by hand')]
  if (!q.objects.known.has('Pod'))
    return [draft('service.selector', titles[0], 'unknown', 'pods were not collected from the API')]
  const pods = selectedPods(q.objects, service)
  const selector = Object.entries(service.selector)
    .map(([k, v]) => `${k}=${v}`)
    .join(',')
  const broad = findingOf(answer, ['service-selector-too-broad'])
  const none = findingOf(answer, ['service-no-endpoints', 'dns-no-endpoints'])
  const picks = broad
    ? failedBy('service.selector', titles[0], broad)
    : draft(
        'service.selector',
        titles[0],
        pods.length > 0 ? 'ok' : 'failed',
        `${selector} picks ${count(pods.length, 'pod')}${pods.length > 0 ? `: ${some(pods.map((p) => p.meta.name))}` : ''}`,
        pods.length > 0 ? pods.slice(0, 3).map(podProof) : [serviceProof(service)],
        pods.length > 0 ? undefined : none?.code,
      )
  if (pods.length === 0) return [picks, draft('service.ready', titles[1], 'skipped', 'there is no pod')]
  const ready = pods.filter((p) => p.conditions.some((c) => c.type === 'Ready' && c.status === 'True'))
  const asleep = pods.filter((p) => !ready.includes(p))
  const found = findingOf(answer, ['service-endpoints-not-ready', 'dns-no-endpoints'])
  const serves = ready.length > 0 || service.publishNotReadyAddresses
  const text = `${ready.length} of ${pods.length} Ready${asleep.length > 0 ? `, not ${some(asleep.map((p) => p.meta.name))}` : ''}`
  return [
    picks,
    draft(
      'service.ready',
      titles[1],
      serves ? 'ok' : 'failed',
      text,
      (asleep.length > 0 ? asleep : ready).slice(0, 2).map(podProof),
      serves ? undefined : found?.code,
    ),
  ]
}

/** Endpoints of the family the packets have: a dual-stack Service keeps a list for each. */
function endpointsFor(q: Inquiry, service: ServiceObject, port: ServicePort): Backend[] {
  const family = q.branches.find((b) => b.stage !== 'dns')?.target.ip.family
  return backendsOf(q.objects, service, port).filter((b) => family === undefined || b.ip.family === family)
}

function endpointsStep(q: Inquiry, service: ServiceObject, port: ServicePort, answer: Answer): Draft {
  const title = 'It has endpoints'
  if (!q.objects.known.has('EndpointSlice'))
    return draft('service.endpoints', title, 'unknown', 'EndpointSlices were not collected from the API')
  const all = endpointsFor(q, service, port)
  const usable = usableBackends(all)
  const proof = slicesOf(q.objects, service).slice(0, 2).map(sliceProof)
  if (usable.length > 0) {
    const gone = all.length - usable.length
    const text = `${some(usable.map((b) => formatEndpoint(b.ip, b.port)))}${gone > 0 ? `; ${gone} not ready` : ''}`
    return draft('service.endpoints', title, 'ok', text, proof)
  }
  const found = findingOf(answer, [
    'service-no-endpoints',
    'service-endpoints-not-ready',
    'service-target-port-name-missing',
    'dns-no-endpoints',
  ])
  const text = all.length > 0 ? `none of ${count(all.length, 'endpoint')} is ready` : 'the list of endpoints is empty'
  return draft(
    'service.endpoints',
    title,
    'failed',
    text,
    proof.length > 0 ? proof : [serviceProof(service)],
    found?.code,
  )
}

function targetPortStep(q: Inquiry, service: ServiceObject, port: ServicePort, answer: Answer): Draft {
  const title = 'The target port is one the pods have'
  const found = findingOf(answer, [
    'service-target-port-wrong',
    'service-target-port-name-missing',
    'service-headless-port',
  ])
  if (found) return failedBy('service.target-port', title, found)
  const pods = selectedPods(q.objects, service)
  const proof = pods.slice(0, 2).map(podProof)
  if (pods.length === 0) return draft('service.target-port', title, 'skipped', 'there is no pod to compare with')
  const target = port.targetPort
  const has = pods.filter((p) =>
    p.containers.some((c) =>
      c.ports.some((x) => (typeof target === 'string' ? x.name === target : x.containerPort === target)),
    ),
  )
  if (typeof target === 'string')
    return draft(
      'service.target-port',
      title,
      has.length === pods.length ? 'ok' : has.length === 0 ? 'failed' : 'unknown',
      `named port ${target}: ${has.length} of ${count(pods.length, 'pod')} declare it`,
      proof,
    )
  const declared = has.length > 0 ? 'declared by the pods' : 'not declared by the pods, which need not declare it'
  return draft(
    'service.target-port',
    title,
    'ok',
    `${target}, ${declared}; whether a process listens is asked below`,
    proof,
  )
}

const PROXY = [
  'kube-proxy-rules-missing',
  'kube-proxy-rules-stale',
  'kube-proxy-not-running',
  'traffic-policy-no-local-endpoint',
  'service-topology-mismatch',
  'service-answers-no-ping',
  'conntrack-stale',
  'notrack',
  'masquerade-missing',
]

/** The rules of the node where the packet enters: do they choose among the endpoints, each with its share? */
function proxyStep(q: Inquiry, asked: Asked, port: ServicePort, fates: readonly Fate[], answer: Answer): Draft {
  const id = 'service.proxy'
  const title = 'kube-proxy sends it to an endpoint'
  const found = findingOf(answer, PROXY)
  if (found) return failedBy(id, title, found)
  if (asked.service.clusterIPs.includes('None'))
    return draft(id, title, 'skipped', 'headless: clients connect to the pods, nothing is translated')
  const turned = fates.filter((f) => f.translated)
  const endpoints = usableBackends(endpointsFor(q, asked.service, port))
  const stuck = fates.find((f) => !f.translated)
  if (turned.length === 0) {
    if (endpoints.length === 0) return draft(id, title, 'skipped', notReached('service.endpoints'))
    const end = stuck?.ending
    if (end?.at === 'proxy')
      return draft(id, title, end.state === 'failed' ? 'failed' : 'unknown', end.text, end.evidence, end.finding?.code)
    return draft(id, title, 'skipped', notReached('pod.send'))
  }
  const chosen = new Map<string, number>()
  for (const f of turned) {
    const turn = f.staged.findLast((s) => s.stage === 'proxy')
    if (!turn) continue
    const to = formatEndpoint(turn.step.packet.dst, turn.step.packet.dport)
    chosen.set(to, (chosen.get(to) ?? 0) + f.branch.trace.probability)
  }
  const total = [...chosen.values()].reduce((n, p) => n + p, 0)
  const known = new Set(endpoints.map((b) => formatEndpoint(b.ip, b.port)))
  const strangers = [...chosen.keys()].filter((to) => !known.has(to))
  const shares = [...chosen].map(([to, p]) => `${to} ${Math.round((p / total) * 1000) / 10} %`)
  const first = turned[0]?.staged.find((s) => s.stage === 'proxy')
  const proof = turned.flatMap((f) =>
    f.staged.filter((s) => s.stage === 'proxy').flatMap((s) => ruling(s.step.evidence, s.step.rule)),
  )
  const node = first ? `on ${first.hop.node}: ` : ''
  if (strangers.length > 0 && q.objects.known.has('EndpointSlice'))
    return draft(
      id,
      title,
      'unknown',
      `${node}${some(strangers)} is chosen, which is no endpoint of the Service now`,
      proof,
    )
  const part = chosen.size < known.size ? `${chosen.size} of ${count(known.size, 'endpoint')} are used from here: ` : ''
  const way = first && first.step.kind === 'ipvs' ? ` (${said(first.step)})` : ''
  return draft(id, title, 'ok', `${node}${part}${some(shares)}${way}`, proof)
}

function ruling<E extends { readonly text: string }>(evidence: readonly E[], rule: string | undefined): E[] {
  const own = evidence.findLast((e) => e.text === rule)
  return own ? [own] : evidence.slice(-1)
}

/** Only where a client may be chosen as its own backend. */
function hairpinStep(fates: readonly Fate[], answer: Answer): Draft | null {
  const id = 'service.hairpin'
  const title = 'A pod may be its own backend (hairpin)'
  const own = fates.filter((f) => f.hairpin)
  if (own.length === 0) return null
  const found = findingOf(answer, ['hairpin-off'])
  if (found) return failedBy(id, title, found)
  const bad = own.find((f) => f.ending !== null)?.ending
  if (bad)
    return draft(id, title, bad.state === 'failed' ? 'failed' : 'unknown', bad.text, bad.evidence, bad.finding?.code)
  const last = own[0]?.staged.findLast((s) => s.stage === 'deliver')
  return draft(id, title, 'ok', 'the packet goes out and comes in by the same veth', last?.step.evidence)
}
