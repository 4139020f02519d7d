/** Policies about nobody: `policy-selects-nothing`, `policy-host-network`, `policy-selects-ended-pods`. */
import { hasEnded } from '../../intent/policy/cluster.ts'
import type { Selector } from '../../intent/policy/policy.ts'
import { formatRequirement, matchLabels } from '../../intent/policy/selector.ts'
import type { PodObject } from '../../kubeobj/objects.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { Finding } from '../../model/finding.ts'
import { correct, type Edit } from './correct.ts'
import { lintFinding, listed, objectOf, placeOf } from './finding.ts'
import { type LintPolicy, type LintWorld, namespaceOf, type Path } from './input.ts'
import { type Nearest, nearestLabel } from './nearest.ts'

export const selectorText = (s: Selector): string => s.map(formatRequirement).join(', ')
export const podText = (p: PodObject): string => `${namespaceOf(p)}/${p.meta.name}`

/** What a policy's podSelector finds in its own namespace. Says nothing where no pod of the namespace is known. */
export function subjects(p: LintPolicy, world: LintWorld): Finding[] {
  const { policy } = p
  const place = placeOf(world, p.object, ['spec', 'podSelector'])
  if (policy.podSelector.some((r) => r.operator === 'opaque')) return []
  if (p.subjects.length === 0) return nobody(p, world, place)
  const [first] = p.subjects
  // A selector for everything is about the pods to come as well.
  if (policy.podSelector.length === 0 || !first) return []
  if (p.subjects.every((s) => s.hostNetwork))
    return [
      lintFinding('policy-host-network', 'warning', objectOf(p), {
        title: `NetworkPolicy ${p.name} selects only pods on the host network, where no policy applies`,
        text: `${listed(p.subjects.map(podText))} use${p.subjects.length === 1 ? 's' : ''} the network of the node: what they send and receive is the node's traffic, and the policy protects nothing.`,
        evidence: [place, first.evidence],
        remedy: { text: 'Give the pods a network of their own, or filter on the node.', verified: false },
      }),
    ]
  if (p.subjects.every(hasEnded))
    return [
      lintFinding('policy-selects-ended-pods', 'info', objectOf(p), {
        title: `NetworkPolicy ${p.name} selects only pods that have ended`,
        text: `${listed(p.subjects.map(podText))} ${p.subjects.length === 1 ? 'has' : 'have'} ended. The policy waits for others with these labels.`,
        evidence: [place, first.evidence],
      }),
    ]
  return []
}

function nobody(p: LintPolicy, world: LintWorld, place: Evidence): Finding[] {
  const { policy } = p
  const there = world.podsByNamespace.get(policy.namespace) ?? []
  if (policy.podSelector.length === 0) return []
  if (there.length === 0) {
    // Policies are often kept apart from the workloads; an empty namespace of a whole cluster is worth a word.
    if (!world.input.complete || !world.objects.known.has('Pod')) return []
    return [
      lintFinding('policy-selects-nothing', 'info', objectOf(p), {
        title: `NetworkPolicy ${p.name} selects nothing: namespace ${policy.namespace} has no pods`,
        text: 'It waits for pods to come.',
        evidence: [place],
      }),
    ]
  }
  const typo = slipIn(policy.podSelector, there)
  const elsewhere = world.objects.pods.find((x) => matchLabels(policy.podSelector, x.meta.labels).matches === 'yes')
  const wanted = selectorText(policy.podSelector)
  const certain = typo !== null || world.input.complete
  const why = typo
    ? `${nearText(typo)}.`
    : elsewhere
      ? `Pods with these labels are in namespace ${namespaceOf(elsewhere)} (${elsewhere.meta.name}); a policy is about its own namespace only.`
      : 'No label there is near it in spelling.'
  return [
    lintFinding(
      'policy-selects-nothing',
      certain && (typo !== null || elsewhere !== undefined) ? 'warning' : 'info',
      objectOf(p),
      {
        title: `NetworkPolicy ${p.name} selects nothing: no pod of namespace ${policy.namespace} is labelled ${wanted}`,
        text: `${why} The policy isolates nobody and admits nothing.`,
        evidence: [place, ...(typo ? [typo.pod.evidence] : elsewhere ? [elsewhere.evidence] : [])],
        remedy: typo
          ? correct(world, p, `If ${near(typo)} was meant, write it so.`, {
              edits: selectorEdits(p, ['spec', 'podSelector'], typo),
              subjects: [typo.pod],
              mayChangeNothing: true,
              intended: (c) => (c.denies === 'egress' ? c.from : c.to).pod === typo.pod,
            })
          : {
              text: "Correct the selector or the pods' labels; or keep it, when such pods are yet to come.",
              verified: false,
            },
      },
    ),
  ]
}

export interface Slip {
  readonly requirement: Selector[number]
  readonly nearest: Nearest
  readonly pod: PodObject
}

/** The one requirement that keeps every pod away and is near to a label of a pod that matches all the others. */
export function slipIn(selector: Selector, pods: readonly PodObject[]): Slip | null {
  for (const requirement of selector) {
    const others = selector.filter((r) => r !== requirement)
    const fitting = pods.filter((x) => matchLabels(others, x.meta.labels).matches === 'yes')
    if (fitting.some((x) => matchLabels([requirement], x.meta.labels).matches === 'yes')) continue
    for (const pod of fitting) {
      const nearest = nearestLabel(requirement, [pod.meta.labels])
      if (nearest) return { requirement, nearest, pod }
    }
  }
  return null
}

const near = (s: Slip) => `${s.nearest.key}=${s.nearest.value}`

export function nearText(s: Slip): string {
  return `The nearest label is ${near(s)} of ${podText(s.pod)}`
}

/** The selector with the slip corrected; none when it is not a plain matchLabels entry. */
export function selectorEdits(
  p: LintPolicy,
  path: Path,
  slip: { readonly requirement: Selector[number]; readonly nearest: Nearest },
): Edit[] {
  const { requirement, nearest } = slip
  const labels: Path = [...path, 'matchLabels']
  const value = labels.reduce<unknown>(
    (v, key) => (typeof v === 'object' && v !== null ? (v as Record<string | number, unknown>)[key] : undefined),
    p.object.raw,
  )
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, requirement.key)) return []
  return [
    ...(nearest.key === requirement.key ? [] : [{ path: [...labels, requirement.key], remove: true as const }]),
    { path: [...labels, nearest.key], set: nearest.value },
  ]
}
