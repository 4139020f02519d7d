/**
 * The walk of ../walk.ts for all ports at once. What is unknown may turn out either way: `allow` holds the ports that may end
 * allowed, `deny` those that may end denied; a port in both is unknown, and every port is in one at least.
 */
import type { End } from '../end.ts'
import type { Applied, PlannedStage } from '../plan.ts'
import type { PolicyPort } from '../policy.ts'
import type { Stage, StageRule } from '../stage.ts'
import type { PortSet, PortSets } from './port-sets.ts'

export interface Outcome {
  readonly allow: PortSet
  readonly deny: PortSet
}

/** Ports a rule is about: for sure, and perhaps. */
export interface RulePorts {
  readonly sure: PortSet
  readonly maybe: PortSet
}

/** 0: the rule's peers do not find the far end, 1: perhaps, 2: they do. */
export type Peered = 0 | 1 | 2

type PeeredOf = (applied: Applied, rule: StageRule) => Peered

interface Hits {
  allow: PortSet
  deny: PortSet
  pass: PortSet
  /** May go on to the next policy. */
  rest: PortSet
}

export interface OutcomeWalk {
  /** `destination`: the end that listens; names of ports are its. */
  readonly walk: (plan: readonly PlannedStage[], destination: End, peered: PeeredOf) => Outcome
}

/** Walks stages with sets of `sets`. `portNamesOf` is equal for ends whose named ports are. */
export function outcomeWalk(sets: PortSets, portNamesOf: (end: End) => string): OutcomeWalk {
  const { none, all, union, subtract, intersect } = sets
  const fixed = new Map<readonly PolicyPort[], RulePorts>()
  const named = new Map<readonly PolicyPort[], Map<string, RulePorts>>()
  const defined = new Map<Stage, PortSet>()

  const portsOf = (rule: StageRule, destination: End): RulePorts => {
    const { ports } = rule
    if (ports === null) return { sure: all, maybe: all }
    const known = fixed.get(ports)
    if (known) return known
    if (ports.every((p) => p.kind === 'range' || p.kind === 'opaque')) {
      const made = portsFor(sets, ports, destination)
      fixed.set(ports, made)
      return made
    }
    const byNames = named.get(ports) ?? new Map<string, RulePorts>()
    named.set(ports, byNames)
    const key = `${destination.kind} ${portNamesOf(destination)}`
    const made = byNames.get(key) ?? portsFor(sets, ports, destination)
    byNames.set(key, made)
    return made
  }

  /** The ports a rule is about; under a condition only perhaps. */
  const about = (rule: StageRule, peered: Peered, destination: End): RulePorts => {
    const { sure, maybe } = portsOf(rule, destination)
    return { sure: peered === 2 && rule.condition === undefined ? sure : none, maybe }
  }

  const ofPolicy = (a: Applied, reach: PortSet, destination: End, peered: PeeredOf): Hits => {
    const hits: Hits = { allow: none, deny: none, pass: none, rest: reach }
    for (const rule of a.rules) {
      const found = peered(a, rule)
      if (found === 0) continue
      const { sure, maybe } = about(rule, found, destination)
      const hit = intersect(hits.rest, maybe)
      hits[rule.action] = union(hits[rule.action], hit)
      hits.rest = subtract(hits.rest, sure)
    }
    // Where it is not about the end, all goes on.
    if (a.selects === 'unknown') hits.rest = reach
    return hits
  }

  /** Policies of which any may come first: what any of them does, and on only where all let through. */
  const anyOrder = (into: Hits, reach: PortSet, each: readonly Hits[]): void => {
    let rest = reach
    for (const h of each) {
      into.allow = union(into.allow, h.allow)
      into.deny = union(into.deny, h.deny)
      into.pass = union(into.pass, h.pass)
      rest = intersect(rest, h.rest)
    }
    into.rest = rest
  }

  const firstMatch = ({ stage, applied }: PlannedStage, reach: PortSet, destination: End, peered: PeeredOf): Hits => {
    const hits: Hits = { allow: none, deny: none, pass: none, rest: reach }
    const placed = stage.tiesUndefined ? applied.filter((a) => a.policy.priority !== undefined) : applied
    for (let start = 0; start < placed.length; ) {
      let end = start + 1
      if (stage.tiesUndefined)
        while (end < placed.length && placed[end]!.policy.priority === placed[start]!.policy.priority) end++
      const from = hits.rest
      anyOrder(
        hits,
        from,
        placed.slice(start, end).map((a) => ofPolicy(a, from, destination, peered)),
      )
      start = end
    }
    if (placed.length < applied.length) {
      // A policy without a priority may come before and after every other.
      const floating = applied.filter((a) => stage.tiesUndefined && a.policy.priority === undefined)
      anyOrder(hits, reach, [{ ...hits }, ...floating.map((a) => ofPolicy(a, reach, destination, peered))])
    }
    const isolating = applied.filter((a) => a.isolates)
    if (isolating.length > 0) {
      hits.deny = union(hits.deny, hits.rest)
      if (isolating.some((a) => a.selects === 'yes')) hits.rest = none
    }
    return hits
  }

  const additive = ({ stage, applied }: PlannedStage, reach: PortSet, destination: End, peered: PeeredOf): Hits => {
    let denySure = none
    let denyMaybe = none
    let allowSure = none
    let allowMaybe = none
    let isolated = false
    const unsure: PortSet[] = []
    for (const a of applied) {
      let admits = none
      for (const rule of a.rules) {
        const found = peered(a, rule)
        if (found === 0) continue
        const { sure, maybe } = about(rule, found, destination)
        const counts = a.selects === 'yes' ? sure : none
        if (rule.action === 'deny') {
          denyMaybe = union(denyMaybe, maybe)
          denySure = union(denySure, counts)
        } else {
          allowMaybe = union(allowMaybe, maybe)
          allowSure = union(allowSure, counts)
          admits = union(admits, sure)
        }
      }
      if (!a.isolates) continue
      if (a.selects === 'yes') isolated = true
      else unsure.push(admits)
    }
    const open = subtract(reach, denySure)
    const unmatched = subtract(open, allowSure)
    let deny = intersect(reach, denyMaybe)
    let allow = intersect(open, allowMaybe)
    if (isolated) {
      deny = union(deny, unmatched)
      if (stage.protocols) allow = union(allow, subtract(unmatched, definedBy(stage)))
      return { allow, deny, pass: none, rest: none }
    }
    // A policy that may select the pod changes nothing when it would admit the connection.
    for (const admits of unsure) deny = union(deny, subtract(unmatched, admits))
    return { allow, deny, pass: none, rest: unmatched }
  }

  const definedBy = (stage: Stage): PortSet => {
    let set = defined.get(stage)
    if (set === undefined) {
      set = (stage.protocols ?? []).map((p) => sets.ofRange(p, 0, 65535)).reduce(union, none)
      defined.set(stage, set)
    }
    return set
  }

  return {
    walk(plan, destination, peered) {
      let reach = all
      let allow = none
      let deny = none
      for (const planned of plan) {
        const step = planned.stage.mode === 'additive' ? additive : firstMatch
        const hits = step(planned, reach, destination, peered)
        allow = union(allow, hits.allow)
        deny = union(deny, hits.deny)
        reach = union(hits.rest, hits.pass)
        if (reach === none) break
      }
      return { allow: union(allow, reach), deny }
    },
  }
}

/** The ports a rule's list means at one destination. Semantics as ../port.ts. */
function portsFor(sets: PortSets, ports: readonly PolicyPort[], destination: End): RulePorts {
  let sure = sets.none
  let maybe = sets.none
  const add = (set: PortSet, certain: boolean) => {
    maybe = sets.union(maybe, set)
    if (certain) sure = sets.union(sure, set)
  }
  for (const port of ports) {
    switch (port.kind) {
      case 'opaque':
        add(sets.all, false)
        break
      case 'range':
        add(sets.ofRange(port.protocol, port.from, port.to), true)
        break
      case 'named':
      case 'named-any': {
        if (destination.kind === 'unknown' || destination.kind === 'service')
          add(port.kind === 'named' ? sets.ofRange(port.protocol, 0, 65535) : sets.all, false)
        if (destination.kind !== 'pod') break
        for (const container of destination.pod.containers)
          for (const p of container.ports) {
            const protocol = p.protocol.toUpperCase()
            if (p.name !== port.name || (port.kind === 'named' && protocol !== port.protocol)) continue
            add(sets.ofRange(protocol, p.containerPort, p.containerPort), true)
          }
      }
    }
  }
  return { sure, maybe }
}
