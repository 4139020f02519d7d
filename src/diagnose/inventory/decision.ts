/** Facts of single nodes → one decision of the cluster, nodes with equal facts together. */
import type { Evidence } from '../../model/evidence.ts'
import type { Decision, NodeGroup } from '../../model/inventory.ts'

/** What one node says about a decision. */
export type NodeFact =
  | {
      readonly node: string
      readonly state: 'present' | 'absent'
      readonly value: string
      readonly owner?: string | null
      readonly evidence: readonly Evidence[]
    }
  | { readonly node: string; readonly state: 'unknown'; readonly why: string }

export interface Heading {
  readonly id: string
  readonly title: string
}

/** Pieces of evidence a decision keeps. */
const EVIDENCE = 8

/** One value when all nodes that tell agree; else `mixed`, each value with its nodes. Nodes that do not tell are in `why`. */
export function ofNodes(heading: Heading, facts: readonly NodeFact[], ifNone = 'no node was collected'): Decision {
  const told = facts.filter((f) => f.state !== 'unknown')
  const silent = facts.filter((f) => f.state === 'unknown')
  const byValue = new Map<
    string,
    { value: string; owner: string | null; nodes: string[]; absent: boolean; evidence: readonly Evidence[] }
  >()
  for (const f of told) {
    const key = `${f.value}\0${f.owner ?? ''}`
    const group = byValue.get(key)
    if (group) group.nodes.push(f.node)
    else
      byValue.set(key, {
        value: f.value,
        owner: f.owner ?? null,
        nodes: [f.node],
        absent: f.state === 'absent',
        evidence: f.evidence,
      })
  }
  const sorted = [...byValue.values()].sort((a, b) => b.nodes.length - a.nodes.length)
  const groups: NodeGroup[] = sorted.map(({ value, owner, nodes }) => ({ value, owner, nodes }))
  const why = whyText(silent)
  const evidence = sorted.flatMap((g) => g.evidence).slice(0, EVIDENCE)
  const [first] = sorted
  if (!first) return unknown(heading, why ?? ifNone)
  const owners = [...new Set(sorted.map((g) => g.owner).filter((o) => o !== null))]
  return {
    ...heading,
    state: sorted.length > 1 ? 'mixed' : first.absent ? 'absent' : 'present',
    value: sorted.length > 1 ? sorted.map((g) => `${g.value} (${nodesText(g.nodes)})`).join('; ') : first.value,
    owner: owners.length > 0 ? owners.join(', ') : null,
    ...(why === undefined ? {} : { why }),
    groups,
    evidence,
  }
}

/** A fact of the whole cluster. */
export function ofCluster(
  heading: Heading,
  fact: {
    readonly state?: 'present' | 'absent' | 'mixed'
    readonly value: string
    readonly owner?: string | null
    readonly why?: string
    readonly evidence: readonly Evidence[]
  },
): Decision {
  return {
    ...heading,
    state: fact.state ?? 'present',
    value: fact.value,
    owner: fact.owner ?? null,
    ...(fact.why === undefined ? {} : { why: fact.why }),
    groups: [],
    evidence: fact.evidence.slice(0, EVIDENCE),
  }
}

export function unknown(heading: Heading, why: string): Decision {
  return { ...heading, state: 'unknown', value: null, owner: null, why, groups: [], evidence: [] }
}

/** Up to three names, else how many: `node1, node2`, `97 nodes`. */
export function nodesText(nodes: readonly string[]): string {
  return nodes.length <= 3 ? nodes.join(', ') : `${nodes.length} nodes`
}

/** `1 pod`, `3 pods`. */
export function several(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? '' : /(s|x|ch)$/.test(word) ? 'es' : 's'}`
}

function whyText(silent: readonly (NodeFact & { readonly state: 'unknown' })[]): string | undefined {
  if (silent.length === 0) return undefined
  const byReason = new Map<string, string[]>()
  for (const f of silent) byReason.set(f.why, [...(byReason.get(f.why) ?? []), f.node])
  return [...byReason].map(([why, nodes]) => `${nodesText(nodes)}: ${why}`).join('; ')
}
