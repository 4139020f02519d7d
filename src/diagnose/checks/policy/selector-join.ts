/** `policy-peer-and-or`: a policy's peer that matches nobody because its two selectors are joined the other way than meant. */

import { policyCluster } from '../../../intent/policy/cluster.ts'
import { NAME_LABEL } from '../../../intent/policy/end.ts'
import type { NetworkPolicy, PolicyPeer, Selector } from '../../../intent/policy/policy.ts'
import type { DirectionResult } from '../../../intent/policy/result.ts'
import { formatRequirement, matchLabels } from '../../../intent/policy/selector.ts'
import type { KubeObjects, PodObject } from '../../../kubeobj/objects.ts'
import type { ClusterCheck, ClusterFinding } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { isAlive } from '../../view/pod-view.ts'

export interface WrongJoin {
  readonly policy: NetworkPolicy
  /** `and`: both selectors in one item, together they match no pod. `alone`: a podSelector without namespaceSelector, which sees its own namespace only. */
  readonly joined: 'and' | 'alone'
  readonly wanted: string
  /** A pod that one half matches. */
  readonly pod: PodObject
}

const selects = (s: Selector, labels: Readonly<Record<string, string>>) => matchLabels(s, labels).matches === 'yes'

function namespaceLabels(objects: KubeObjects, name: string): Readonly<Record<string, string>> {
  const own = objects.namespaces.find((n) => n.meta.name === name)?.meta.labels
  return { ...own, [NAME_LABEL]: name }
}

/** A peer of pods that admits no pod there is, while pods fit one half of it; null when it admits somebody. */
export function wrongJoin(objects: KubeObjects, policy: NetworkPolicy, peer: PolicyPeer): WrongJoin | null {
  if (peer.kind !== 'pods' || peer.pods === null || peer.pods.length === 0) return null
  const { pods, namespaces } = peer
  const there = objects.pods.filter((p) => isAlive(p) && !p.hostNetwork)
  const inside = (p: PodObject) =>
    namespaces === null
      ? p.meta.namespace === policy.namespace
      : selects(namespaces, namespaceLabels(objects, p.meta.namespace))
  const fitting = there.filter((p) => selects(pods, p.meta.labels))
  const outsider = fitting[0]
  if (!outsider || fitting.some(inside)) return null
  // A namespace nobody has is another mistake (policy-label-missing).
  if (namespaces !== null && !there.some(inside)) return null
  const text = (s: Selector) => s.map(formatRequirement).join(', ') || 'everything'
  return {
    policy,
    joined: namespaces === null ? 'alone' : 'and',
    wanted:
      namespaces === null
        ? `pods ${text(pods)} of namespace ${policy.namespace}`
        : `pods ${text(pods)} in namespaces ${text(namespaces)}`,
    pod: outsider,
  }
}

/** The wrong join that explains why a direction denies `pod`: one of its halves matches that pod. */
export function joinThatDenies(objects: KubeObjects, d: DirectionResult, pod: PodObject | undefined): WrongJoin | null {
  if (!pod) return null
  const cluster = policyCluster(objects)
  for (const c of d.considered) {
    const policy = cluster.policiesByNamespace.get(c.policy.namespace)?.find((p) => p.name === c.policy.name)
    for (const r of c.rules) {
      if (!policy || r.port === 'no') continue
      for (const peer of policy[d.direction]?.[r.index]?.peers ?? []) {
        const join = wrongJoin(objects, policy, peer)
        if (!join || peer.kind !== 'pods') continue
        const half =
          (peer.pods !== null && selects(peer.pods, pod.meta.labels)) ||
          (peer.namespaces !== null && selects(peer.namespaces, namespaceLabels(objects, pod.meta.namespace)))
        if (half) return join
      }
    }
  }
  return null
}

export function joinText(j: WrongJoin): string {
  return j.joined === 'and'
    ? `Its rule asks for ${j.wanted}: both in one list item, so a peer must match both, and no pod does. As two items either would do.`
    : `Its rule asks for ${j.wanted}: a podSelector alone looks in the policy's own namespace only, where no pod has these labels. Pods of other namespaces need a namespaceSelector in the same item.`
}

export function joinManifest(j: WrongJoin): string {
  const half = '- namespaceSelector:\n    matchLabels:\n      '
  return j.joined === 'and'
    ? `# either of the two:\n${half}…\n- podSelector:\n    matchLabels:\n      …\n`
    : `${half}${NAME_LABEL}: ${j.pod.meta.namespace}\n  podSelector:   # the same list item: both must match\n    matchLabels:\n      …\n`
}

/** Without a question such a rule may wait for pods to come, so it is told, not warned about. */
export const selectorJoin: ClusterCheck = {
  name: 'policy-peer-and-or',
  find({ objects }) {
    if (!objects.known.has('Pod') || !objects.known.has('Namespace')) return []
    const out: ClusterFinding[] = []
    for (const policies of policyCluster(objects).policiesByNamespace.values())
      for (const policy of policies) {
        const peers = [...(policy.ingress ?? []), ...(policy.egress ?? [])].flatMap((r) => r.peers ?? [])
        const join = peers.map((p) => wrongJoin(objects, policy, p)).find((j) => j !== null)
        if (!join) continue
        const name = `${policy.namespace}/${policy.name}`
        out.push(
          clusterFinding('policy-peer-and-or', {
            severity: 'info',
            title: `a rule of NetworkPolicy ${name} admits nobody: no pod matches both of its selectors`,
            text: `${joinText(join)} The nearest is pod ${join.pod.meta.namespace}/${join.pod.meta.name}.`,
            where: { object: `NetworkPolicy ${name}` },
            concerns: [{ kind: 'object' }],
            evidence: [policy.evidence, join.pod.evidence],
            remedy: { text: 'If the other join was meant, write it so.', manifest: joinManifest(join) },
          }),
        )
      }
    return out
  },
}
