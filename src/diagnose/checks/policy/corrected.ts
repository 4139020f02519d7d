/** Policies that cure a denial, as YAML: the policy at fault with one change, or another beside it. Each is evaluated before it is given. */
import { stringify } from 'yaml'
import { formatIp, type Ip, networkOf, parseIp, parsePrefix } from '../../../base/ip.ts'
import { NAME_LABEL } from '../../../intent/policy/end.ts'
import { evaluatePolicy } from '../../../intent/policy/evaluate.ts'
import type { Direction } from '../../../intent/policy/policy.ts'
import type { PolicyQuestion, PolicyRef } from '../../../intent/policy/result.ts'
import type { KubeObjects, OtherObject, PodObject } from '../../../kubeobj/objects.ts'

type Raw = { [key: string]: unknown }

const isRaw = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value)

function policyOf(objects: KubeObjects, ref: PolicyRef): OtherObject | undefined {
  return objects.others.find(
    (o) =>
      o.kind === 'NetworkPolicy' &&
      o.apiVersion.startsWith('networking.k8s.io/') &&
      (o.meta.namespace || 'default') === ref.namespace &&
      o.meta.name === ref.name,
  )
}

/** The manifest, if with it the direction that denied allows the connection. */
function cures(objects: KubeObjects, question: PolicyQuestion, direction: Direction, manifest: Raw): string | null {
  return evaluatePolicy(objects, question)[direction].decision === 'allow'
    ? stringify(manifest, { version: '1.1' })
    : null
}

/** One place of a policy: a rule of a direction, and in it a peer or a port by its index. */
export interface PolicyPlace {
  readonly policy: PolicyRef
  readonly direction: Direction
  readonly rule: number
  readonly index: number
}

/** The policy with another port at this place; null when that does not cure. */
export function withPort(objects: KubeObjects, question: PolicyQuestion, at: PolicyPlace, port: number): string | null {
  return changed(objects, question, at, 'ports', ({ endPort: _, ...rest }) => ({ ...rest, port }))
}

/** The policy with the label of every namespace's name in place of `key` at this place; null when that does not cure. */
export function withNamespaceName(
  objects: KubeObjects,
  question: PolicyQuestion,
  at: PolicyPlace,
  key: string,
  namespace: string,
): string | null {
  return changed(objects, question, at, at.direction === 'ingress' ? 'from' : 'to', (peer) => {
    const selector = isRaw(peer.namespaceSelector) ? peer.namespaceSelector : {}
    const { [key]: _, ...labels } = isRaw(selector.matchLabels) ? selector.matchLabels : {}
    const listed = Array.isArray(selector.matchExpressions) ? (selector.matchExpressions as unknown[]) : []
    const kept = listed.filter((e) => !isRaw(e) || e.key !== key)
    const namespaceSelector = {
      matchLabels: { ...labels, [NAME_LABEL]: namespace },
      ...(kept.length > 0 ? { matchExpressions: kept } : {}),
    }
    return { ...peer, namespaceSelector }
  })
}

function changed(
  objects: KubeObjects,
  question: PolicyQuestion,
  at: PolicyPlace,
  list: 'from' | 'to' | 'ports',
  change: (item: Raw) => Raw,
): string | null {
  const object = policyOf(objects, at.policy)
  if (!object || !isRaw(object.raw.spec)) return null
  const spec = structuredClone(object.raw.spec)
  const rules = spec[at.direction]
  const rule: unknown = Array.isArray(rules) ? rules[at.rule] : undefined
  const items = isRaw(rule) ? rule[list] : undefined
  const item: unknown = Array.isArray(items) ? items[at.index] : undefined
  if (!isRaw(rule) || !Array.isArray(items) || !isRaw(item)) return null
  rule[list] = items.map((x, i) => (i === at.index ? change(item) : x))
  const raw = { ...object.raw, spec }
  const others = objects.others.map((o) => (o === object ? { ...object, raw } : o))
  const { name, namespace } = at.policy
  const manifest = { apiVersion: object.apiVersion, kind: object.kind, metadata: { name, namespace }, spec }
  return cures({ ...objects, others }, question, at.direction, manifest)
}

/** Whom a rule shall admit. */
export type Admitted =
  | { readonly kind: 'pod'; readonly pod: PodObject }
  | { readonly kind: 'addresses'; readonly what: string; readonly blocks: readonly string[] }

/**
 * A policy beside `beside` that admits these peers to (from) the pods that one isolates, on the port asked for: with its podSelector,
 * so that it isolates nobody else. Null when it would not cure.
 */
export function admitting(
  objects: KubeObjects,
  question: PolicyQuestion,
  beside: PolicyRef | undefined,
  direction: Direction,
  admitted: Admitted,
): string | null {
  const object = beside && policyOf(objects, beside)
  const protocol = question.protocol.toUpperCase()
  if (!object || !isRaw(object.raw.spec) || question.port === null || !/^(TCP|UDP|SCTP)$/.test(protocol)) return null
  if (admitted.kind === 'addresses' && (admitted.blocks.length === 0 || admitted.blocks.length > MOST_BLOCKS))
    return null
  const peers = peersOf(admitted)
  const suffix = admitted.kind === 'pod' ? admitted.pod.meta.namespace || 'default' : admitted.what
  const manifest = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `${beside.name.slice(0, 150)}-allow-${suffix}`, namespace: beside.namespace },
    spec: {
      podSelector: object.raw.spec.podSelector ?? {},
      policyTypes: [direction === 'ingress' ? 'Ingress' : 'Egress'],
      [direction]: [{ [direction === 'ingress' ? 'from' : 'to']: peers, ports: [{ protocol, port: question.port }] }],
    },
  }
  const added: OtherObject = {
    ...object,
    meta: { ...object.meta, name: manifest.metadata.name },
    raw: manifest,
  }
  return cures({ ...objects, others: [...objects.others, added] }, question, direction, manifest)
}

/** More than a person reads. */
const MOST_BLOCKS = 60

/** Labels that controllers write: another pod of the same kind has other values. */
const OF_CONTROLLERS =
  /^(pod-template-hash|controller-revision-hash|pod-template-generation|controller-uid|job-name|(statefulset|apps|batch)\.kubernetes\.io\/.*)$/

function peersOf(admitted: Admitted): Raw[] {
  if (admitted.kind === 'addresses') return admitted.blocks.map((cidr) => ({ ipBlock: { cidr } }))
  const { namespace, labels } = admitted.pod.meta
  const lasting = Object.entries(labels).filter(([key]) => !OF_CONTROLLERS.test(key))
  return [
    {
      namespaceSelector: { matchLabels: { [NAME_LABEL]: namespace || 'default' } },
      ...(lasting.length > 0 ? { podSelector: { matchLabels: Object.fromEntries(lasting) } } : {}),
    },
  ]
}

export const hostBlock = (ip: Ip): string => `${formatIp(ip)}/${ip.family === 4 ? 32 : 128}`

/** What pods of other nodes see nodes as: their addresses, and the bridge and tunnel of their pod range. */
export function nodeBlocks(objects: KubeObjects, family: 4 | 6): string[] {
  return objects.nodes.flatMap((node) => {
    const own = node.addresses.flatMap((a) => {
      const ip = a.type === 'InternalIP' ? parseIp(a.address) : null
      return ip?.family === family ? [hostBlock(ip)] : []
    })
    const links = node.podCIDRs.flatMap((cidr) => {
      const range = parsePrefix(cidr)
      return range?.ip.family === family ? [`${formatIp(networkOf(range).ip)}/${family === 4 ? 31 : 127}`] : []
    })
    return [...own, ...links]
  })
}
