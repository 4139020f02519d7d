/**
 * The walk through the stages. What is unknown may turn out either way, so a stage yields the set of outcomes it may have; one
 * outcome in the end is the answer, both are `unknown`. Sources: docs/design/policy.md.
 */
import type { Applied, PlannedStage } from './plan.ts'
import type { Decision, Tri } from './result.ts'
import type { Action, Stage, StagePolicy, StageRule } from './stage.ts'

export const ALLOW = 1
export const DENY = 2
/** On to the next stage. */
const NEXT = 4
/** No rule of this policy matches: on to the next policy. */
const FALL = 8

/** Whether one rule is about the connection; the walk asks in order and not more than it needs. */
export type RuleMatches = (applied: Applied, rule: StageRule) => Tri

/** What ended the walk for sure. */
export interface Ending {
  readonly stage: Stage
  readonly action: 'allow' | 'deny' | 'isolation'
  readonly rule: StageRule | null
  readonly policy: StagePolicy | null
}

export interface Walk {
  /** ALLOW, DENY or both. */
  readonly outcomes: number
  /** Null when no stage ended it: nothing speaks against the connection; or when it is not known. */
  readonly ending: Ending | null
}

/** What leaves the walk open, for those who ask why. */
export interface Doubts {
  /** The rule may or may not be about the connection. */
  rule(applied: Applied, rule: StageRule): void
  /** The policy may or may not be about the pod, and it would make a difference. */
  selection(applied: Applied): void
  /** Of policies that differ it is not defined which comes first. */
  tie(group: readonly Applied[]): void
  /** The dialect does not say what becomes of this protocol. */
  protocol(stage: Stage): void
  /** A stage is done: what was said of it counts, or made no difference. */
  done(counts: boolean): void
}

const OUTCOME: Readonly<Record<Action, number>> = { allow: ALLOW, deny: DENY, pass: NEXT }

/** Walks the stages of one pod and direction. `protocol` in upper case. */
export function walk(
  plan: readonly PlannedStage[],
  protocol: string,
  matches: RuleMatches,
  doubts: Doubts | null,
): Walk {
  let outcomes = 0
  for (const planned of plan) {
    const note: Note = { ending: null }
    const of =
      planned.stage.mode === 'additive'
        ? additive(planned, protocol, matches, doubts, note)
        : firstMatch(planned, matches, doubts, note)
    doubts?.done(!isOne(of))
    outcomes |= of & (ALLOW | DENY)
    if (!(of & NEXT)) return { outcomes, ending: outcomes === of && isOne(of) ? note.ending : null }
  }
  return { outcomes: outcomes | ALLOW, ending: null }
}

export function decisionOf(outcomes: number): Decision {
  return outcomes === ALLOW ? 'allow' : outcomes === DENY ? 'deny' : 'unknown'
}

const isOne = (outcomes: number) => (outcomes & (outcomes - 1)) === 0

interface Note {
  ending: Ending | null
}

/** Deny if a deny rule matches, else allow if an allow rule does, else what isolation says. Order means nothing. */
function additive(
  { stage, applied }: PlannedStage,
  protocol: string,
  matches: RuleMatches,
  doubts: Doubts | null,
  note: Note,
): number {
  let mayDeny = 0
  let mayAllow = 0
  let isolated = false
  let allowed: Ending | null = null
  const unsure: { readonly a: Applied; readonly admits: Tri }[] = []
  for (const a of applied) {
    let admits: Tri = 'no'
    for (const rule of a.rules) {
      // One sure yes is enough; only a deny can still change that.
      if (rule.action === 'allow' && (allowed || admits === 'yes')) continue
      const match = matches(a, rule)
      if (match === 'no') continue
      const sure = match === 'yes' && a.selects === 'yes'
      if (rule.action === 'deny') {
        if (sure) {
          note.ending = { stage, action: 'deny', rule, policy: a.policy }
          return DENY
        }
        mayDeny = DENY
      } else if (match === 'yes') {
        admits = 'yes'
        if (sure) allowed = { stage, action: 'allow', rule, policy: a.policy }
      } else if (admits === 'no') admits = 'unknown'
      if (match === 'unknown') doubts?.rule(a, rule)
      else if (rule.action === 'deny') doubts?.selection(a)
    }
    if (admits !== 'no') mayAllow = ALLOW
    if (a.selects === 'unknown') unsure.push({ a, admits })
    else if (a.isolates) isolated = true
  }
  if (allowed) {
    note.ending = allowed
    return ALLOW | mayDeny
  }
  if (isolated) {
    for (const { a, admits } of unsure) if (admits !== 'no') doubts?.selection(a)
    const undefinedHere = stage.protocols !== undefined && !stage.protocols.includes(protocol)
    if (undefinedHere) doubts?.protocol(stage)
    note.ending = { stage, action: 'isolation', rule: null, policy: null }
    return DENY | mayAllow | (undefinedHere ? ALLOW : 0)
  }
  // A policy that may select the pod changes nothing when it would admit the connection.
  const harmful = unsure.filter(({ a, admits }) => a.isolates && admits !== 'yes')
  for (const { a } of harmful) doubts?.selection(a)
  return NEXT | mayDeny | mayAllow | (harmful.length > 0 ? DENY : 0)
}

/** The first rule that matches, by priority and place. Equal priorities: any of the policies that match may be it. */
function firstMatch({ stage, applied }: PlannedStage, matches: RuleMatches, doubts: Doubts | null, note: Note): number {
  const placed = stage.tiesUndefined ? applied.filter((a) => a.policy.priority !== undefined) : applied
  let outcomes = 0
  let end = 0
  while (end < placed.length) {
    const start = end++
    const first = placed[start]!
    if (stage.tiesUndefined) while (end < placed.length && placed[end]!.policy.priority === first.policy.priority) end++
    const of =
      end === start + 1
        ? policyOutcomes(stage, first, matches, doubts, note)
        : anyOrder(stage, placed.slice(start, end), matches, doubts, note)
    outcomes |= of
    if (!(of & FALL)) {
      outcomes &= ~FALL
      break
    }
  }
  if (placed.length === 0) outcomes = FALL
  // A policy without a priority may come before and after every other.
  for (const a of placed.length < applied.length ? applied.filter((x) => x.policy.priority === undefined) : []) {
    const of = policyOutcomes(stage, a, matches, doubts, note)
    const both = of !== FALL && outcomes !== FALL
    outcomes = merge(outcomes, of)
    if (both && !isOne(outcomes)) doubts?.tie([a, ...applied.filter((x) => x !== a)])
  }
  return outcomes & FALL ? (outcomes & ~FALL) | unmatched(stage, applied, doubts, note) : outcomes
}

/** Either may be first: what any of them does, and on only when both let it through. */
const merge = (x: number, y: number) => ((x | y) & ~FALL) | (x & y & FALL)

function anyOrder(
  stage: Stage,
  group: readonly Applied[],
  matches: RuleMatches,
  doubts: Doubts | null,
  note: Note,
): number {
  const each = group.map((a) => policyOutcomes(stage, a, matches, doubts, note))
  const outcomes = each.reduce(merge)
  const involved = group.filter((_, i) => each[i] !== FALL)
  if (involved.length > 1 && !isOne(outcomes)) doubts?.tie(involved)
  return outcomes
}

function policyOutcomes(stage: Stage, a: Applied, matches: RuleMatches, doubts: Doubts | null, note: Note): number {
  let outcomes = 0
  for (const rule of a.rules) {
    const match = matches(a, rule)
    if (match === 'no') continue
    outcomes |= OUTCOME[rule.action]
    if (match === 'unknown') {
      doubts?.rule(a, rule)
      continue
    }
    if (a.selects === 'yes') {
      if (rule.action !== 'pass') note.ending ??= { stage, action: rule.action, rule, policy: a.policy }
      return outcomes
    }
    doubts?.selection(a)
    return outcomes | FALL
  }
  return outcomes | FALL
}

/** What becomes of a pod that policies of the stage select, and that no rule is about. */
function unmatched(stage: Stage, applied: readonly Applied[], doubts: Doubts | null, note: Note): number {
  const isolating = applied.filter((a) => a.isolates)
  if (isolating.some((a) => a.selects === 'yes')) {
    note.ending ??= { stage, action: 'isolation', rule: null, policy: null }
    return DENY
  }
  for (const a of isolating) doubts?.selection(a)
  return isolating.length > 0 ? DENY | NEXT : NEXT
}
