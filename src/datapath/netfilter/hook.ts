/** One netfilter hook of one netns. */

import type { Hook } from '../../model/ruleset.ts'
import { runChain } from './chain-run.ts'
import { inEitherOrder, sameFates } from './either-order.ts'
import { listHits, mergeEnds, mergeWalks } from './merge.ts'
import { applyTranslation, manipOf, settle } from './nat.ts'
import { type Stage, stagesOf } from './stages.ts'
import { track } from './track.ts'
import type { HookOutcome, Passage, RuleHit, Surroundings } from './types.ts'
import { type End, type HitNode, MAX_VISITS, NO_MEMORY, type Place, type Run, type Walk } from './walk.ts'

/**
 * Runs one hook: all base chains of all rulesets in kernel order, with conntrack and NAT in their places. Gives every
 * outcome; probabilities add up to 1. What cannot be decided and matters is one outcome of verdict `unknown`.
 */
export function runHook(around: Surroundings, hook: Hook, layer: 'ip' | 'bridge', passage: Passage): HookOutcome[] {
  const device = (hook === 'egress' ? passage.out?.name : passage.in?.name) ?? ''
  const { stages, alternative } = stagesOf(around.rulesets, hook, layer, passage.packet.src.family, device)
  const outcomes = runStages(around, hook, layer, passage, stages)
  if (alternative === null) return outcomes
  const other = runStages(around, hook, layer, passage, alternative)
  if (sameFates(outcomes, other)) return inEitherOrder(outcomes, other)
  return [
    {
      probability: 1,
      verdict: 'unknown',
      rules: [],
      passage,
      masqueraded: false,
      unknowns: ['two dumps hold chains of equal priority, and which of them runs first is not known'],
    },
  ]
}

function runStages(
  around: Surroundings,
  hook: Hook,
  layer: 'ip' | 'bridge',
  passage: Passage,
  stages: readonly Stage[],
): HookOutcome[] {
  const run: Run = {
    around,
    hook,
    layer,
    family: passage.packet.src.family,
    // The kernel passes no out link to prerouting and input, and no in link to output.
    in: hook === 'output' ? null : passage.in,
    out: hook === 'prerouting' || hook === 'input' || hook === 'ingress' ? null : passage.out,
    physIn: passage.physIn,
    physOut: passage.physOut,
    uid: passage.uid,
    conntrack: around.conntrack ?? [],
    ends: [],
    reasons: [],
    forked: false,
    budget: MAX_VISITS,
    why: '',
  }
  let live: Walk[] = [start(passage)]
  for (const stage of stages) {
    if (live.length === 0) break
    switch (stage.kind) {
      case 'conntrack':
        if (!passage.invalid) live = live.filter((walk) => track(run, walk))
        break
      case 'chain':
        live = runBase(run, stage.place, live)
        break
      case 'nat':
        live = runNatHook(run, stage.chains, live)
        break
    }
  }
  for (const walk of live) run.ends.push({ walk, verdict: 'accept' })
  return outcomesOf(run, passage)
}

function start(passage: Passage): Walk {
  return {
    packet: passage.packet,
    connection: passage.connection,
    untracked: passage.untracked,
    zone: passage.connection?.entry.zone ?? 0,
    template: false,
    memory: passage.memory ?? NO_MEMORY,
    masqueraded: false,
    hits: null,
    weight: 1,
    worlds: [],
    next: 0,
  }
}

/** Runs a base chain; gives the walks that go on to the next one. Accept ends this chain only. */
function runBase(run: Run, place: Place, walks: readonly Walk[]): Walk[] {
  const kept = run.ends.splice(0)
  const fallen = runChain(run, place, walks, 0)
  const passed: Walk[] = []
  const done: End[] = []
  for (const end of run.ends.splice(0)) {
    if (end.verdict === 'accept') passed.push(end.walk)
    else done.push(end)
  }
  if (place.chain.base?.policy === 'drop') {
    for (const walk of fallen) done.push({ walk, verdict: 'drop', policyOf: place })
  } else passed.push(...fallen)
  run.ends.push(...kept, ...done)
  return passed.length > 1 ? mergeWalks(passed) : passed
}

/**
 * nf_nat_inet_fn: new connections ask the chains of type nat until one settles this side, else it is settled as it is;
 * then every packet with a connection is rewritten as the connection says.
 */
function runNatHook(run: Run, chains: readonly Place[], walks: readonly Walk[]): Walk[] {
  const manip = manipOf(run.hook)
  const out: Walk[] = []
  const asking: Walk[] = []
  for (const walk of walks) {
    const c = walk.connection
    const isNew = c?.fresh && (c.state === 'new' || c.state === 'related')
    if (isNew && !c.settled[manip]) asking.push(walk)
    else out.push(walk)
  }
  let open = asking
  for (const place of chains) {
    if (open.length === 0) break
    const passed = runBase(run, place, open)
    open = []
    for (const walk of passed) {
      if (walk.connection?.settled[manip]) out.push(walk)
      else open.push(walk)
    }
  }
  for (const walk of open) settle(run, walk, null)
  out.push(...open)
  for (const walk of out) applyTranslation(run, walk)
  return out.length > 1 ? mergeWalks(out) : out
}

function outcomesOf(run: Run, passage: Passage): HookOutcome[] {
  const ends = mergeEnds(run.ends)
  const outcomes: HookOutcome[] = []
  const unknowns: string[] = []
  let certain = 0
  let lost: Walk | null = null
  for (const end of ends) {
    if (end.walk.worlds.length === 0 && end.verdict !== 'unknown') {
      certain += end.walk.weight
      outcomes.push(outcomeOf(run, passage, end, end.verdict))
      continue
    }
    lost ??= end.walk
    if (end.why && !unknowns.includes(end.why)) unknowns.push(end.why)
    for (const world of end.walk.worlds) {
      const why = run.reasons[world >> 1]
      if (why !== undefined && !unknowns.includes(why)) unknowns.push(why)
    }
  }
  if (lost !== null) {
    const common = { walk: { ...lost, weight: Math.max(0, 1 - certain) }, verdict: 'unknown' } as const
    outcomes.push({ ...outcomeOf(run, passage, common, 'unknown'), unknowns })
  }
  return outcomes
}

function outcomeOf(run: Run, passage: Passage, end: End, verdict: HookOutcome['verdict']): HookOutcome {
  const { walk } = end
  const hits = listHits(walk.hits)
  const decided =
    end.policyOf !== undefined
      ? policyHit(run, end.policyOf)
      : verdict !== 'accept' && hits.length > 0
        ? hitOf(run, hits[hits.length - 1]!)
        : undefined
  return {
    probability: walk.weight,
    verdict,
    ...(end.rejectWith ? { rejectWith: end.rejectWith } : {}),
    rules: hits.map((h) => hitOf(run, h)),
    ...(decided ? { decided } : {}),
    ...(end.policyOf ? { byPolicy: true } : {}),
    passage: {
      ...passage,
      packet: walk.packet,
      connection: walk.connection,
      untracked: walk.untracked,
      ...(walk.memory === NO_MEMORY ? {} : { memory: walk.memory }),
    },
    masqueraded: walk.masqueraded,
    unknowns: [],
  }
}

function hitOf(run: Run, h: HitNode): RuleHit {
  const { ruleset, table, chain } = h.place
  return {
    ruleset,
    table: table.name,
    family: table.family,
    chain: chain.name,
    hook: run.hook,
    line: h.rule.line,
    text: h.rule.text,
    effect: h.effect === '' ? 'continue' : h.effect,
    ...(h.uncertain ? { uncertain: true } : {}),
  }
}

function policyHit(run: Run, place: Place): RuleHit {
  const { ruleset, table, chain } = place
  return {
    ruleset,
    table: table.name,
    family: table.family,
    chain: chain.name,
    hook: run.hook,
    line: chain.line,
    text: `chain ${chain.name} policy drop`,
    effect: 'drop',
  }
}
