/** `lintPolicies`: what is written wrongly in the policies of these objects. docs/policy.md, chapter Lint. */
import { policyCluster } from '../../intent/policy/cluster.ts'
import { stagesOf } from '../../intent/policy/stages.ts'
import type { Finding, Severity } from '../../model/finding.ts'
import { blocks } from './blocks.ts'
import { dns } from './dns.ts'
import { notEnforced } from './enforced.ts'
import { lintFinding } from './finding.ts'
import { invalid, neverMatches, replaced, typesForgetRules } from './form.ts'
import { type LintInput, type LintPolicy, type LintWorld, lintWorld } from './input.ts'
import { peers } from './peers.ts'
import { ports } from './ports.ts'
import { shadows } from './shadow.ts'
import { subjects } from './subjects.ts'
import { tiers } from './tiers.ts'

const OF_ONE: readonly ((p: LintPolicy, world: LintWorld) => Finding[])[] = [
  invalid,
  typesForgetRules,
  neverMatches,
  subjects,
  peers,
  ports,
  blocks,
]

const OF_ALL: readonly ((world: LintWorld) => Finding[])[] = [replaced, otherInvalid, dns, shadows, tiers, notEnforced]

const RANK: Record<Severity, number> = { error: 0, warning: 1, info: 2 }

/** Findings, errors first, then by file and line. */
export function lintPolicies(input: LintInput): Finding[] {
  const world = lintWorld(input)
  const found = [
    ...world.policies.flatMap((p) => OF_ONE.flatMap((check) => check(p, world))),
    ...OF_ALL.flatMap((check) => check(world)),
  ]
  const place = (f: Finding) => f.evidence[0]
  return found.sort(
    (x, y) =>
      RANK[x.severity] - RANK[y.severity] ||
      compare(place(x)?.artefact ?? '', place(y)?.artefact ?? '') ||
      (place(x)?.line ?? 0) - (place(y)?.line ?? 0),
  )
}

const compare = (x: string, y: string) => (x < y ? -1 : x > y ? 1 : 0)

/** How many policies of all kinds were looked at. */
export function policyCount(input: LintInput): number {
  return stagesOf(policyCluster(input.objects)).stages.reduce((n, s) => n + s.policies.length, 0)
}

/** Policies of other kinds: what their decoder does not understand. */
function otherInvalid(world: LintWorld): Finding[] {
  const told = new Set(world.policies.flatMap((p) => p.issues.map((i) => i.message)))
  const { issues } = stagesOf(policyCluster(world.objects))
  return issues
    .filter((i) => !told.has(i.message))
    .map((issue) => {
      const at = issue.message.indexOf(': ')
      const object = at < 0 ? issue.artefact : issue.message.slice(0, at)
      // Of a plugin's dialect some things are right and not evaluated here.
      const severity = /^(Baseline)?AdminNetworkPolicy |^ClusterNetworkPolicy /.test(object) ? 'error' : 'info'
      return lintFinding('policy-invalid', severity, object, {
        title: issue.message,
        text: 'This is not understood, or the API server refuses it; whatever depends on it is unknown.',
        evidence: [
          { artefact: issue.artefact, ...(issue.line === undefined ? {} : { line: issue.line }), text: object },
        ],
      })
    })
}
