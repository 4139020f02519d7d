/** Objects as evidence: the line that was read, and the fields that matter. */
import type { EndpointSliceObject, NodeObject, PodObject, ServiceObject } from '../../kubeobj/objects.ts'
import type { Evidence } from '../../model/evidence.ts'

function withFields(evidence: Evidence, fields: readonly string[]): Evidence {
  return { ...evidence, text: `${evidence.text}: ${fields.filter((f) => f !== '').join('; ')}` }
}

export function serviceProof(s: ServiceObject): Evidence {
  const selector = s.selector === null ? 'no selector' : `selector ${pairs(s.selector)}`
  const ports = s.ports.map(
    (p) => `${p.port}→${p.targetPort}/${p.protocol}${p.nodePort ? ` nodePort ${p.nodePort}` : ''}`,
  )
  const policy = s.externalTrafficPolicy === 'Local' ? 'externalTrafficPolicy Local' : ''
  const inside = s.internalTrafficPolicy === 'Local' ? 'internalTrafficPolicy Local' : ''
  return withFields(s.evidence, [selector, `ports ${ports.join(', ')}`, policy, inside])
}

export function sliceProof(s: EndpointSliceObject): Evidence {
  const endpoints = s.endpoints
    .slice(0, 6)
    .map(
      (e) =>
        `${e.addresses.join(',')}${e.target ? ` (${e.target.name})` : ''}${e.nodeName ? ` on ${e.nodeName}` : ''}${e.ready ? '' : ' not ready'}`,
    )
  const more = s.endpoints.length > 6 ? ` and ${s.endpoints.length - 6} more` : ''
  const ports = s.ports.map((p) => `${p.name ? `${p.name}:` : ''}${p.port ?? 'all'}`).join(', ')
  return withFields(s.evidence, [
    `ports ${ports || 'none'}`,
    endpoints.length > 0 ? `endpoints ${endpoints.join(', ')}${more}` : 'no endpoints',
  ])
}

export function podProof(p: PodObject): Evidence {
  const ready = p.conditions.find((c) => c.type === 'Ready')
  const ports = p.containers
    .flatMap((c) => c.ports)
    .map((x) => `${x.name ? `${x.name}:` : ''}${x.containerPort}${x.hostPort ? ` hostPort ${x.hostPort}` : ''}`)
  return withFields(p.evidence, [
    `labels ${pairs(p.meta.labels) || 'none'}`,
    p.podIPs.length > 0 ? `address ${p.podIPs.join(', ')}` : 'no address',
    ports.length > 0 ? `ports ${ports.join(', ')}` : '',
    ready ? `Ready=${ready.status}` : `phase ${p.phase}`,
  ])
}

/** `annotation` is quoted when it matters. */
export function nodeProof(n: NodeObject, annotation?: string): Evidence {
  const value = annotation === undefined ? undefined : n.meta.annotations[annotation]
  return withFields(n.evidence, [
    n.addresses
      .filter((a) => a.type === 'InternalIP')
      .map((a) => `InternalIP ${a.address}`)
      .join(', '),
    n.podCIDRs.length > 0 ? `podCIDR ${n.podCIDRs.join(', ')}` : 'no podCIDR',
    value === undefined ? '' : `${annotation}=${value}`,
  ])
}

function pairs(record: Readonly<Record<string, string>>): string {
  return Object.entries(record)
    .slice(0, 8)
    .map(([k, v]) => `${k}=${v}`)
    .join(',')
}
