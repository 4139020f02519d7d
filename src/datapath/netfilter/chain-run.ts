/** Running alternatives through a chain: rules in order, jumps, returns, forks (ipt_do_table, nft_do_chain; Linux 6.18). */
import type { Chain, Rule, SetElement, Statement, Verdict } from '../../model/ruleset.ts'
import { chainIndex, nextCandidate } from './chain-index.ts'
import { evaluate, find } from './expression.ts'
import { isFusedPair } from './fused-ports.ts'
import { type Certain, gotKey, isSpecial } from './got.ts'
import { matches, undecided } from './match.ts'
import { mergeWalks, tooMany } from './merge.ts'
import { type NatStatement, settle, wanted } from './nat.ts'
import { act, setField } from './rewrite.ts'
import { assume, type End, fork, hit, type Place, type Run, type Walk } from './walk.ts'

/** Deeper nesting is refused by the kernel (NFT_JUMP_STACK_SIZE is 16; iptables refuses loops). */
const MAX_DEPTH = 64

/** Where walks go that are done with a rule. */
interface Exits {
  /** To the next rule of the chain. */
  readonly next: Walk[]
  /** Out of the chain, to its caller. */
  readonly out: Walk[]
}

/** Runs walks through a chain. Gives those that fall off its end or return; finished ones go to `run.ends`. */
export function runChain(run: Run, place: Place, walks: readonly Walk[], depth: number): Walk[] {
  const out: Walk[] = []
  if (depth > MAX_DEPTH) {
    for (const walk of walks) giveUp(run, walk, `chain ${place.chain.name} is nested too deeply`)
    return out
  }
  const rules = place.chain.rules()
  const index = chainIndex(rules)
  let live = [...walks]
  let at = 0
  while (live.length > 0) {
    let next = rules.length
    for (const walk of live) {
      walk.next = index ? nextCandidate(index, run, walk, at, rules.length) : at
      if (walk.next < next) next = walk.next
    }
    if (next >= rules.length) break
    const rule = rules[next]!
    const exits: Exits = { next: [], out }
    run.forked = false
    for (const walk of live) {
      if (walk.next !== next) exits.next.push(walk)
      else if (--run.budget < 0) giveUp(run, walk, 'the ruleset asks for too many steps')
      else runRule(run, place, rule, walk, 0, '', exits, depth)
    }
    live = run.forked || exits.next.length > 1 ? mergeWalks(exits.next) : exits.next
    if (tooMany(live.length + run.ends.length)) {
      for (const walk of live) giveUp(run, walk, 'more alternatives than can be followed')
      return out
    }
    at = next + 1
  }
  out.push(...live)
  return out
}

export function giveUp(run: Run, walk: Walk, why: string): void {
  run.ends.push({ walk, verdict: 'unknown', why })
}

/** Evaluates the parts of a rule from number `from` on. */
function runRule(
  run: Run,
  place: Place,
  rule: Rule,
  walk: Walk,
  from: number,
  effect: string,
  exits: Exits,
  depth: number,
): void {
  const { parts } = rule
  let what = effect
  for (let i = from; i < parts.length; i++) {
    const part = parts[i]!
    switch (part.kind) {
      case 'verdict':
        if (part.verdict.kind === 'continue') break
        runVerdict(run, place, rule, walk, part.verdict, what, exits, depth)
        return
      case 'vmap':
        if (!runVmap(run, place, rule, walk, part, i, what, exits, depth)) return
        break
      case 'reject':
        hit(walk, place, rule, join(what, `reject ${part.with}`))
        end(run, walk, { verdict: 'reject', rejectWith: part.with })
        return
      case 'nat':
      case 'masquerade':
      case 'redirect':
      case 'netmap':
        runNat(run, place, rule, walk, part, what, exits)
        return
      case 'tproxy':
        hit(walk, place, rule, join(what, 'tproxy'))
        giveUp(run, walk, `whether a proxy listens is not known: ${rule.text}`)
        return
      case 'set': {
        const done = runSet(run, place, rule, walk, part, i, what, exits, depth)
        if (done === null) return
        what = join(what, done)
        break
      }
      case 'setMark':
      case 'copyMark':
      case 'notrack':
      case 'ctZone':
      case 'ttl':
      case 'dscp':
      case 'mss':
      case 'setUpdate':
      case 'note':
        what = join(what, act(walk, place, part))
        break
      case 'opaque':
        if (part.what === 'statement') {
          hit(walk, place, rule, join(what, part.text))
          giveUp(run, walk, `not understood: ${rule.text}`)
          return
        }
        if (!test(run, place, rule, walk, part, i, what, exits, depth)) return
        break
      default:
        if (!test(run, place, rule, walk, part, i, what, exits, depth)) return
        break
    }
  }
  hit(walk, place, rule, what === '' ? 'continue' : what)
  exits.next.push(walk)
}

const join = (before: string, more: string) => (before === '' ? more : more === '' ? before : `${before}, ${more}`)

/** True when the walk goes on in this rule. A fork sends the matching side through the rest of the rule itself. */
function test(
  run: Run,
  place: Place,
  rule: Rule,
  walk: Walk,
  part: Parameters<typeof matches>[3],
  i: number,
  what: string,
  exits: Exits,
  depth: number,
): boolean {
  let chance = matches(run, walk, place, part)
  if (chance === 0 && part.kind === 'port' && isFusedPair(walk, place, rule, part))
    chance = undecided(run, 'iptables-nft before 1.8.10 reads two negated ports as one')
  if (chance === 1) return true
  if (chance === 0) {
    exits.next.push(walk)
    return false
  }
  run.forked = true
  let yes: Walk
  let no: Walk
  if (chance < 0) {
    const number = run.reasons.push(`${run.why}: ${rule.text}`) - 1
    yes = assume(walk, number, 1)
    no = assume(walk, number, 0)
  } else {
    yes = fork(walk)
    yes.weight *= chance
    no = walk
    no.weight *= 1 - chance
  }
  runRule(run, place, rule, yes, i + 1, what, exits, depth)
  run.forked = true
  exits.next.push(no)
  return false
}

function end(run: Run, walk: Walk, fate: Omit<End, 'walk' | 'decided'>): void {
  run.ends.push(walk.hits ? { ...fate, walk, decided: walk.hits } : { ...fate, walk })
}

function runVerdict(
  run: Run,
  place: Place,
  rule: Rule,
  walk: Walk,
  verdict: Exclude<Verdict, { kind: 'continue' }>,
  what: string,
  exits: Exits,
  depth: number,
): void {
  switch (verdict.kind) {
    case 'accept':
    case 'drop':
    case 'queue':
      hit(walk, place, rule, join(what, verdict.kind))
      end(run, walk, { verdict: verdict.kind })
      return
    case 'return':
      hit(walk, place, rule, join(what, 'return'))
      exits.out.push(walk)
      return
    case 'jump':
    case 'goto': {
      hit(walk, place, rule, join(what, `${verdict.kind} ${verdict.chain}`))
      const chain: Chain | undefined = place.table.chains.get(verdict.chain)
      if (!chain) {
        giveUp(run, walk, `chain ${verdict.chain} is not in the dump: ${rule.text}`)
        return
      }
      const back = runChain(run, { ...place, chain }, [walk], depth + 1)
      if (back.length > 1) run.forked = true
      // What leaves a chain entered by goto does not come back here but goes where this chain would return to.
      if (verdict.kind === 'jump') exits.next.push(...back)
      else exits.out.push(...back)
      return
    }
  }
}

/**
 * A lookup that finds nothing ends an nft rule, but a counter before it has counted: the kernel's numbers say the rule was
 * hit. Counters stand before the statement they count for, whichever of them the text puts first.
 */
function counted(walk: Walk, place: Place, rule: Rule, what: string): void {
  if (rule.counters && place.ruleset.backend === 'nft') hit(walk, place, rule, join(what, 'count'))
}

/** True when the rule goes on with the same walk: the element says `continue`. An absent key ends the rule (nft_lookup_eval). */
function runVmap(
  run: Run,
  place: Place,
  rule: Rule,
  walk: Walk,
  part: Extract<Statement, { kind: 'vmap' }>,
  i: number,
  what: string,
  exits: Exits,
  depth: number,
): boolean {
  const got = evaluate(run, walk, place, part.key)
  const take = (w: Walk, key: Certain): boolean => {
    const found: SetElement | null | 'undecided' =
      isSpecial(key) && key.kind === 'break' ? null : find(w, place, part.map, key)
    if (found === 'undecided') {
      giveUp(run, w, `${isSpecial(key) && 'why' in key ? key.why : 'the map is not known'}: ${rule.text}`)
      return false
    }
    if (found === null) {
      counted(w, place, rule, what)
      exits.next.push(w)
      return false
    }
    const verdict = found.verdict ?? { kind: 'continue' }
    if (verdict.kind === 'continue') return true
    runVerdict(run, place, rule, w, verdict, what, exits, depth)
    return false
  }
  if (!isSpecial(got) || got.kind !== 'choice') return take(walk, got as Certain)
  run.forked = true
  // Keys that lead to one element are one choice.
  const shares = new Map<SetElement | null | 'undecided', { probability: number; key: Certain }>()
  for (const option of got.options) {
    const found = find(walk, place, part.map, option.got)
    const old = shares.get(found)
    if (old) old.probability += option.probability
    else shares.set(found, { probability: option.probability, key: option.got })
  }
  for (const { probability, key } of shares.values()) {
    const w = fork(walk)
    w.weight *= probability
    if (take(w, key)) runRule(run, place, rule, w, i + 1, what, exits, depth)
  }
  run.forked = true
  return false
}

function runNat(run: Run, place: Place, rule: Rule, walk: Walk, part: NatStatement, what: string, exits: Exits): void {
  if (walk.connection === null) {
    giveUp(run, walk, `translation of a packet without a connection: ${rule.text}`)
    return
  }
  const options = wanted(run, walk, place, part)
  if (options.length > 1) run.forked = true
  const seen = new Map<string, number>()
  const distinct: { probability: number; wanted: (typeof options)[number]['wanted'] }[] = []
  for (const option of options) {
    const key = option.wanted.kind === 'range' ? option.wanted.effect : option.wanted.kind
    const old = seen.get(key)
    if (old === undefined) {
      seen.set(key, distinct.length)
      distinct.push({ ...option })
    } else distinct[old]!.probability += option.probability
  }
  for (const option of distinct) {
    const w = distinct.length > 1 ? fork(walk) : walk
    w.weight *= option.probability
    switch (option.wanted.kind) {
      case 'range':
        settle(run, w, option.wanted.range)
        if (option.wanted.masquerade) w.masqueraded = true
        hit(w, place, rule, join(what, option.wanted.effect))
        end(run, w, { verdict: 'accept' })
        break
      case 'accept':
        hit(w, place, rule, join(what, 'accept'))
        end(run, w, { verdict: 'accept' })
        break
      case 'drop':
        hit(w, place, rule, join(what, 'drop'))
        end(run, w, { verdict: 'drop' })
        break
      case 'break':
        counted(w, place, rule, what)
        exits.next.push(w)
        break
      case 'unknown':
        hit(w, place, rule, join(what, part.kind))
        giveUp(run, w, `${option.wanted.why}: ${rule.text}`)
        break
    }
  }
}

/** The effect when the rule goes on with the same walk, null when it was handled here. */
function runSet(
  run: Run,
  place: Place,
  rule: Rule,
  walk: Walk,
  part: Extract<Statement, { kind: 'set' }>,
  i: number,
  what: string,
  exits: Exits,
  depth: number,
): string | null {
  const got = evaluate(run, walk, place, part.value)
  const write = (w: Walk, certain: Certain): string | null => {
    if (isSpecial(certain) && certain.kind === 'break') {
      counted(w, place, rule, what)
      exits.next.push(w)
      return null
    }
    if (
      !isSpecial(certain) &&
      !Array.isArray(certain) &&
      setField(w, part.field, certain as Exclude<typeof certain, readonly unknown[]>)
    )
      return `${part.field} set ${gotKey(certain)}`
    hit(w, place, rule, join(what, `${part.field} set`))
    giveUp(
      run,
      w,
      `${isSpecial(certain) && 'why' in certain ? certain.why : `cannot follow a change of ${part.field}`}: ${rule.text}`,
    )
    return null
  }
  if (!isSpecial(got) || got.kind !== 'choice') return write(walk, got as Certain)
  run.forked = true
  for (const option of got.options) {
    const w = fork(walk)
    w.weight *= option.probability
    const done = write(w, option.got)
    if (done !== null) runRule(run, place, rule, w, i + 1, join(what, done), exits, depth)
  }
  run.forked = true
  return null
}
