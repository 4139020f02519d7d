/** Admin and Baseline tiers: equal priorities, rules nothing reaches, Pass in the Baseline. */

import { policyCluster } from '../../intent/policy/cluster.ts'
import type { Direction } from '../../intent/policy/policy.ts'
import { isObject, matchLabels } from '../../intent/policy/selector.ts'
import type { Stage, StagePolicy, StageRule } from '../../intent/policy/stage.ts'
import { stagesOf } from '../../intent/policy/stages.ts'
import type { OtherObject } from '../../kubeobj/objects.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { Finding } from '../../model/finding.ts'
import { ruleCovers, selectorCovers } from './covers.ts'
import { lintFinding, placeOf } from './finding.ts'
import { DIRECTIONS, isSubject, type LintWorld, labelsOfNamespace, namespaceOf, type Path } from './input.ts'

export function tiers(world: LintWorld): Finding[] {
  const { stages } = stagesOf(policyCluster(world.objects))
  const objects = world.objects.others.filter((o) => o.apiVersion.startsWith('policy.networking.k8s.io/'))
  return [
    ...objects.flatMap((o) => passInBaseline(o, world)),
    ...stages
      .filter((s) => s.mode === 'first-match')
      .flatMap((s) => [...equalPriorities(s, world), ...unreachable(s, world)]),
  ]
}

const nameOf = (p: StagePolicy) => `${p.kind} ${p.namespace === '' ? '' : `${p.namespace}/`}${p.name}`

function objectOf(p: StagePolicy, world: LintWorld): OtherObject | undefined {
  return world.objects.others.find(
    (o) => o.kind === p.kind && o.meta.name === p.name && o.meta.namespace === p.namespace,
  )
}

function place(p: StagePolicy, world: LintWorld, path: Path): Evidence {
  const object = objectOf(p, world)
  return object ? placeOf(world, object, path) : p.evidence
}

function passInBaseline(o: OtherObject, world: LintWorld): Finding[] {
  const spec = isObject(o.raw.spec) ? o.raw.spec : {}
  const baseline =
    o.kind === 'BaselineAdminNetworkPolicy' || (o.kind === 'ClusterNetworkPolicy' && spec.tier === 'Baseline')
  if (!baseline) return []
  return DIRECTIONS.flatMap((direction) => {
    const rules: readonly unknown[] = Array.isArray(spec[direction]) ? (spec[direction] as unknown[]) : []
    return rules.flatMap((rule, i) =>
      isObject(rule) && rule.action === 'Pass'
        ? [
            lintFinding('policy-pass-in-baseline', 'warning', `${o.kind} ${o.meta.name}`, {
              title: `${o.kind} ${o.meta.name} says Pass, and nothing comes after the Baseline tier`,
              text:
                o.kind === 'ClusterNetworkPolicy'
                  ? 'What it passes is allowed: later rules of the Baseline tier are skipped.'
                  : 'The API server refuses Pass in a BaselineAdminNetworkPolicy: only Allow and Deny are actions there.',
              evidence: [placeOf(world, o, ['spec', direction, i, 'action'])],
              remedy: { text: 'Write Accept (Allow), or Deny.', verified: false },
            }),
          ]
        : [],
    )
  })
}

/** Same priority, some pod both are about, and rules that decide differently. */
function equalPriorities(stage: Stage, world: LintWorld): Finding[] {
  if (!stage.tiesUndefined) return []
  const out: Finding[] = []
  stage.policies.forEach((p, i) => {
    for (const q of stage.policies.slice(i + 1)) {
      if (p.priority !== q.priority || p.kind !== q.kind || !disagree(p, q)) continue
      if (!meet(p, q, world)) continue
      out.push(
        lintFinding('policy-priority-equal', 'warning', nameOf(p), {
          title: `${nameOf(p)} and ${q.name} both have ${p.priority === undefined ? 'no priority' : `priority ${p.priority}`}, are about the same pods and decide differently`,
          text: 'Which of them is evaluated first is not defined by the API; plugins may differ, and so may two runs of one.',
          evidence: [place(p, world, ['spec', 'priority']), place(q, world, ['spec', 'priority'])],
          remedy: { text: 'Give them different priorities; the lower number comes first.', verified: false },
        }),
      )
    }
  })
  return out
}

function disagree(p: StagePolicy, q: StagePolicy): boolean {
  return DIRECTIONS.some((d) => p.rules[d]?.some((r) => q.rules[d]?.some((s) => r.action !== s.action)))
}

/** Both are about some pod; without pods to see, when one's words imply the other's. */
function meet(p: StagePolicy, q: StagePolicy, world: LintWorld): boolean {
  if (subjectCovers(p, q) || subjectCovers(q, p)) return true
  return world.objects.pods.some((pod) => isSubject(pod) && isAbout(p, pod, world) && isAbout(q, pod, world))
}

function isAbout(p: StagePolicy, pod: LintWorld['objects']['pods'][number], world: LintWorld): boolean {
  const { namespaces, pods } = p.subject
  const there = namespaceOf(pod)
  const inside =
    namespaces === null
      ? there === p.namespace
      : matchLabels(namespaces, labelsOfNamespace(world, there)).matches === 'yes'
  return inside && matchLabels(pods, pod.meta.labels).matches === 'yes'
}

function subjectCovers(wide: StagePolicy, narrow: StagePolicy): boolean {
  if (wide.subject.opaque !== undefined || narrow.subject.opaque !== undefined) return false
  if (wide.subject.namespaces === null || narrow.subject.namespaces === null)
    return (
      wide.subject.namespaces === narrow.subject.namespaces &&
      wide.namespace === narrow.namespace &&
      selectorCovers(wide.subject.pods, narrow.subject.pods)
    )
  return (
    selectorCovers(wide.subject.namespaces, narrow.subject.namespaces) &&
    selectorCovers(wide.subject.pods, narrow.subject.pods)
  )
}

function unreachable(stage: Stage, world: LintWorld): Finding[] {
  const out: Finding[] = []
  for (const direction of DIRECTIONS) {
    const before: { p: StagePolicy; rule: StageRule; index: number }[] = []
    for (const p of stage.policies)
      for (const [index, rule] of (p.rules[direction] ?? []).entries()) {
        const by = before.find(
          (b) =>
            // NetworkPolicies among a plugin's own are the business of the other check.
            !(b.p.kind === 'NetworkPolicy' && p.kind === 'NetworkPolicy') &&
            (b.p === p || (b.p.priority !== p.priority && subjectCovers(b.p, p))) &&
            ruleCovers({ rule: b.rule, namespace: b.p.namespace }, { rule, namespace: p.namespace }),
        )
        if (by) out.push(cut(p, { rule, index }, by, direction, world))
        else if (rule.condition === undefined) before.push({ p, rule, index })
      }
  }
  return out
}

function cut(
  p: StagePolicy,
  at: { rule: StageRule; index: number },
  by: { p: StagePolicy; rule: StageRule; index: number },
  direction: Direction,
  world: LintWorld,
): Finding {
  const same = by.rule.action === at.rule.action
  return lintFinding('policy-rule-unreachable', same ? 'info' : 'warning', nameOf(p), {
    title: `${nameOf(p)}: rule ${at.rule.name} is never reached, ${by.rule.name}${by.p === p ? '' : ` of ${nameOf(by.p)}`} comes before and matches all it could`,
    text: same
      ? `Both ${at.rule.action}: the later one changes nothing.`
      : `The earlier rule says ${by.rule.action}, this one ${at.rule.action}; the first that matches decides.`,
    evidence: [place(p, world, ['spec', direction, at.index]), place(by.p, world, ['spec', direction, by.index])],
    remedy: { text: 'Move the rule before the other, or remove it.', verified: false },
  })
}
