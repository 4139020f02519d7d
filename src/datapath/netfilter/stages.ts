/** What runs at one hook, and in which order (net/netfilter/core.c and enum nf_ip_hook_priorities, Linux 6.18). */
import type { BaseChain, Chain, Hook, Ruleset, Table } from '../../model/ruleset.ts'
import type { Place } from './walk.ts'

export type Stage =
  | { readonly kind: 'chain'; readonly place: Place; readonly priority: number; readonly order: number }
  | { readonly kind: 'conntrack'; readonly priority: number; readonly order: number }
  /** All chains of type nat run inside one hook function, in order of their own priorities. */
  | { readonly kind: 'nat'; readonly chains: readonly Place[]; readonly priority: number; readonly order: number }

const CONNTRACK_PRIORITY = -200
/** NF_IP_PRI_NAT_DST and NF_IP_PRI_NAT_SRC. */
const NAT_DST_PRIORITY = -100
const NAT_SRC_PRIORITY = 100

export interface Stages {
  readonly stages: readonly Stage[]
  /** Another order that the evidence allows: chains of equal priority that came from different dumps. Null when there is none. */
  readonly alternative: readonly Stage[] | null
}

const cache = new WeakMap<readonly Ruleset[], Map<string, Stages>>()

/** The stages of a hook for packets of `family`; `device` picks the chains of ingress and egress hooks. */
export function stagesOf(
  rulesets: readonly Ruleset[],
  hook: Hook,
  layer: 'ip' | 'bridge',
  family: 4 | 6,
  device: string,
): Stages {
  let known = cache.get(rulesets)
  if (!known) {
    known = new Map()
    cache.set(rulesets, known)
  }
  const onDevice = hook === 'ingress' || hook === 'egress'
  const key = `${hook} ${layer} ${family} ${onDevice ? device : ''}`
  let stages = known.get(key)
  if (!stages) {
    stages = build(rulesets, hook, layer, family, device)
    known.set(key, stages)
  }
  return stages
}

function build(
  rulesets: readonly Ruleset[],
  hook: Hook,
  layer: 'ip' | 'bridge',
  family: 4 | 6,
  device: string,
): Stages {
  const stages: Stage[] = []
  const natChains: { place: Place; priority: number; order: number }[] = []
  let natOrder = -1
  let order = 0
  for (const ruleset of rulesets) {
    for (const table of ruleset.tables) {
      if (table.dormant || !applies(table, layer, family, hook)) continue
      for (const { chain, base } of baseChains(table)) {
        order++
        if (base.type === 'nat' && natOrder < 0) natOrder = order
        if (base.hook !== hook || !attached(chain, device)) continue
        const place = { ruleset, table, chain }
        if (base.type === 'nat') natChains.push({ place, priority: base.priority, order })
        else stages.push({ kind: 'chain', place, priority: base.priority, order })
      }
    }
  }
  if (hook === 'prerouting' || hook === 'output') {
    if (layer === 'ip' || stages.length > 0)
      stages.push({ kind: 'conntrack', priority: CONNTRACK_PRIORITY, order: Number.POSITIVE_INFINITY })
  }
  // Registering the first nat chain of a family hooks NAT into all four hooks (nf_nat_register_fn).
  if (natOrder >= 0 && layer === 'ip' && hook !== 'forward' && hook !== 'ingress' && hook !== 'egress') {
    natChains.sort(byPriority)
    const priority = hook === 'prerouting' || hook === 'output' ? NAT_DST_PRIORITY : NAT_SRC_PRIORITY
    stages.push({ kind: 'nat', chains: natChains.map((c) => c.place), priority, order: natOrder })
  }
  stages.sort(byPriority)
  return { stages, alternative: otherOrder(stages) }
}

/**
 * Lower priority first. Of equals the one registered last runs first: nf_hook_entries_grow inserts before the first entry
 * whose priority is not lower. A dump lists tables and chains in the order of their creation.
 */
function byPriority(
  x: { readonly priority: number; readonly order: number },
  y: { readonly priority: number; readonly order: number },
): number {
  return x.priority - y.priority || (x.order === y.order ? 0 : x.order > y.order ? -1 : 1)
}

/** Equal priorities of different dumps: which registered first is not in the evidence, so the reverse is as likely. */
function otherOrder(stages: readonly Stage[]): readonly Stage[] | null {
  let found = false
  for (let i = 1; i < stages.length; i++) {
    const x = stages[i - 1]!
    const y = stages[i]!
    if (x.priority === y.priority && rulesetOf(x) !== rulesetOf(y) && !isTrivial(x) && !isTrivial(y)) found = true
  }
  if (!found) return null
  return [...stages].sort((x, y) => x.priority - y.priority || x.order - y.order)
}

function rulesetOf(stage: Stage): Ruleset | null {
  return stage.kind === 'chain' ? stage.place.ruleset : stage.kind === 'nat' ? (stage.chains[0]?.ruleset ?? null) : null
}

function isTrivial(stage: Stage): boolean {
  if (stage.kind === 'nat') return stage.chains.every((c) => c.chain.rules().length === 0)
  if (stage.kind === 'conntrack') return true
  return stage.place.chain.base?.policy !== 'drop' && stage.place.chain.rules().length === 0
}

function applies(table: Table, layer: 'ip' | 'bridge', family: 4 | 6, hook: Hook): boolean {
  if (layer === 'bridge') return table.family === 'bridge'
  if (hook === 'ingress' || hook === 'egress') return table.family === 'netdev' || table.family === 'inet'
  return table.family === 'inet' || table.family === (family === 4 ? 'ip' : 'ip6')
}

/** A table of a large cluster has tens of thousands of chains, a dozen of them base chains: they are looked for once. */
const bases = new WeakMap<Table, readonly { readonly chain: Chain; readonly base: BaseChain }[]>()

function baseChains(table: Table) {
  let found = bases.get(table)
  if (!found) {
    const list: { chain: Chain; base: BaseChain }[] = []
    const candidates = table.bases?.map((name) => table.chains.get(name)) ?? table.chains.values()
    for (const chain of candidates) if (chain?.base) list.push({ chain, base: chain.base })
    found = list
    bases.set(table, found)
  }
  return found
}

function attached(chain: Chain, device: string): boolean {
  const devices = chain.base?.devices
  return devices === undefined || devices.includes(device)
}
