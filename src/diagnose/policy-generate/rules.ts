/** Wanted connections of one group and direction to the rules of a NetworkPolicy, each with the reason it is there. */
import { formatIp, type Ip } from '../../base/ip.ts'
import type { PodObject } from '../../kubeobj/objects.ts'
import { blocksFor } from './blocks.ts'
import type { Group, LabelSelector } from './selector.ts'
import { type Asked, askedText } from './wanted.ts'

/** A rule as the API has it, and its comment. */
export interface RuleDraft {
  readonly comment: string
  readonly peers: readonly Readonly<Record<string, unknown>>[]
  readonly ports: readonly Readonly<Record<string, unknown>>[]
}

export interface RuleWant {
  readonly peer:
    | { readonly kind: 'group'; readonly group: Group }
    /** Every pod of the namespace; of every namespace (null). */
    | { readonly kind: 'namespace'; readonly namespace: string | null }
    | { readonly kind: 'outside'; readonly ip: Ip }
    | { readonly kind: 'anywhere' }
  readonly protocol: string
  readonly port: number
  readonly asked: Asked
}

interface Draft {
  readonly peer: RuleWant['peer']
  readonly ports: Map<string, { readonly protocol: string; readonly port: number; readonly asked: Asked[] }>
}

/**
 * One rule for each peer, addresses outside with the same ports in one. `direction` tells whose pods the port names are:
 * the peer's for egress, the subject's for ingress. Rules come namespace by namespace, the outside last.
 */
export function rulesFor(subject: Group, direction: 'ingress' | 'egress', wants: readonly RuleWant[]): RuleDraft[] {
  const drafts = new Map<string, Draft>()
  for (const w of wants) {
    const key = peerKey(w.peer, subject.namespace)
    const draft = drafts.get(key) ?? { peer: w.peer, ports: new Map() }
    drafts.set(key, draft)
    const port = `${w.protocol} ${String(w.port).padStart(5)}`
    const known = draft.ports.get(port) ?? { protocol: w.protocol, port: w.port, asked: [] }
    known.asked.push(w.asked)
    draft.ports.set(port, known)
  }
  const outside = new Map<string, { readonly ips: Ip[]; readonly draft: Draft }>()
  const rules: RuleDraft[] = []
  for (const [, draft] of [...drafts].sort(([x], [y]) => (x < y ? -1 : 1))) {
    const { peer } = draft
    if (peer.kind === 'outside') {
      const key = [...draft.ports.keys()].sort().join()
      const known = outside.get(key)
      if (known) {
        known.ips.push(peer.ip)
        for (const [name, p] of draft.ports) known.draft.ports.get(name)?.asked.push(...p.asked)
      } else outside.set(key, { ips: [peer.ip], draft })
      continue
    }
    const named = direction === 'ingress' ? subject.pods : peer.kind === 'group' ? peer.group.pods : []
    rules.push({
      comment: `${peerName(peer)}: ${portsAsked(draft)}`,
      peers: peersOf(peer, subject.namespace),
      ports: portsOf(draft, named),
    })
  }
  for (const { ips, draft } of outside.values()) {
    const { peers, wide } = blocksFor(ips)
    const which = ips.length > 3 ? `${ips.length} addresses outside` : ips.map(formatIp).join(', ')
    const widened = wide ? ' (too many to list: all public addresses)' : ''
    const named = direction === 'ingress' ? subject.pods : []
    rules.push({ comment: `${which}: ${portsAsked(draft)}${widened}`, peers, ports: portsOf(draft, named) })
  }
  return rules
}

function peerKey(peer: RuleWant['peer'], own: string): string {
  switch (peer.kind) {
    case 'group':
      return `${peer.group.namespace === own ? 0 : 1} ${peer.group.namespace} ${peer.group.names[0]}`
    case 'namespace':
      return `2 ${peer.namespace ?? ''}`
    case 'anywhere':
      return '3'
    case 'outside':
      return `4 ${peer.ip.family} ${[peer.ip.a, peer.ip.b, peer.ip.c, peer.ip.d].map((w) => w.toString(16).padStart(8, '0')).join('')}`
  }
}

function peerName(peer: RuleWant['peer']): string {
  switch (peer.kind) {
    case 'group': {
      const { names, selector, namespace } = peer.group
      const shown = names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ')
      return selector ? shown : `${shown} (no label to select by: all of namespace ${namespace})`
    }
    case 'namespace':
      return peer.namespace === null ? 'every namespace' : `all of namespace ${peer.namespace}`
    case 'anywhere':
      return 'everybody outside'
    case 'outside':
      return formatIp(peer.ip)
  }
}

const inNamespace = (namespace: string) => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
})

function peersOf(peer: RuleWant['peer'], own: string): RuleDraft['peers'] {
  switch (peer.kind) {
    case 'group': {
      const { namespace, selector } = peer.group
      const podSelector = selector ? selectorObject(selector) : {}
      return [namespace === own ? { podSelector } : { ...inNamespace(namespace), podSelector }]
    }
    case 'namespace':
      if (peer.namespace === null) return [{ namespaceSelector: {} }]
      return [peer.namespace === own ? { podSelector: {} } : inNamespace(peer.namespace)]
    case 'anywhere':
      return [{ ipBlock: { cidr: '0.0.0.0/0' } }, { ipBlock: { cidr: '::/0' } }]
    case 'outside':
      return blocksFor([peer.ip]).peers
  }
}

/** A LabelSelector as the API has it. */
export function selectorObject({ matchLabels, absent }: LabelSelector): Record<string, unknown> {
  const expressions = absent.map((key) => ({ key, operator: 'DoesNotExist' }))
  return { matchLabels, ...(expressions.length > 0 ? { matchExpressions: expressions } : {}) }
}

/** The name of a port where every pod that listens calls this number so, and nothing else. */
function portsOf(draft: Draft, listening: readonly PodObject[]): RuleDraft['ports'] {
  return [...draft.ports]
    .sort(([x], [y]) => (x < y ? -1 : 1))
    .map(([, { protocol, port }]) => ({
      ...(protocol === 'TCP' ? {} : { protocol }),
      port: stableName(listening, protocol, port) ?? port,
    }))
}

function stableName(pods: readonly PodObject[], protocol: string, port: number): string | null {
  const ports = (p: PodObject) =>
    p.containers.flatMap((c) => c.ports).filter((x) => x.protocol.toUpperCase() === protocol)
  const name = pods[0] && ports(pods[0]).find((x) => x.containerPort === port)?.name
  if (name === undefined || name === '') return null
  const same = pods.every((p) => {
    const called = ports(p).filter((x) => x.name === name)
    return called.length === 1 && called[0]!.containerPort === port
  })
  return same ? name : null
}

function portsAsked(draft: Draft): string {
  const ports = [...draft.ports].sort(([x], [y]) => (x < y ? -1 : 1)).map(([, p]) => p)
  const each = ports.map(({ protocol, port, asked }) => `${protocol} ${port} (${askedText(asked)})`)
  return each.length > 6 ? `${each.slice(0, 6).join(', ')} and ${each.length - 6} more` : each.join(', ')
}
