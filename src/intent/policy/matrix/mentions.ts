/** What the policies ask about at all: two ends that agree on it are one class. */
import type { PolicyPeer, PolicyPort, Selector } from '../policy.ts'
import type { Stage, StageRule } from '../stage.ts'
import type { Block } from './address-space.ts'

export interface Mentions {
  /** Label keys of pods that some selector reads. */
  readonly podKeys: readonly string[]
  readonly portNames: ReadonlySet<string>
  /** Protocols beside TCP, UDP and SCTP, upper case. */
  readonly protocols: ReadonlySet<string>
  readonly blocks: readonly Block[]
  /** The number in `blocks` of a peer's blocks. */
  readonly blockOf: ReadonlyMap<PolicyPeer, number>
  /** Some peer tells nodes apart by more than their addresses. */
  readonly nodes: boolean
  /** Some peer asks whether the far end is the subject's own node. */
  readonly ownNode: boolean
}

/** Reads every selector, block and port name of the stages. */
export function mentionsOf(stages: readonly Stage[]): Mentions {
  const podKeys = new Set<string>()
  const portNames = new Set<string>()
  const protocols = new Set<string>()
  const blocks: Block[] = []
  const blockOf = new Map<PolicyPeer, number>()
  const byText = new Map<string, number>()
  const seen = { nodes: false, ownNode: false }
  const selector = (s: Selector | null): void => {
    for (const r of s ?? []) {
      if (r.alternatives) for (const one of r.alternatives) selector(one)
      else podKeys.add(r.key)
    }
  }
  const peer = (p: PolicyPeer): void => {
    switch (p.kind) {
      case 'pods':
        selector(p.pods)
        return
      case 'ipBlock':
        block(p, { cidrs: [p.cidr], except: p.except })
        return
      case 'networks':
        block(p, { cidrs: p.cidrs, except: [] })
        return
      case 'allOf':
        p.peers.forEach(peer)
        return
      case 'not':
        peer(p.peer)
        return
      case 'nodes':
        seen.nodes = true
        return
      case 'entity':
        seen.ownNode ||= p.entity === 'host' || p.entity === 'remote-node'
        return
      case 'domains':
      case 'opaque':
        return
    }
  }
  const block = (p: PolicyPeer, b: Block): void => {
    const text = JSON.stringify(b)
    const known = byText.get(text) ?? blocks.push(b) - 1
    byText.set(text, known)
    blockOf.set(p, known)
  }
  const port = (p: PolicyPort): void => {
    if (p.kind === 'named' || p.kind === 'named-any') portNames.add(p.name)
    if (p.kind === 'named' || p.kind === 'range') protocols.add(p.protocol)
  }
  for (const rule of rulesOf(stages)) {
    rule.peers?.forEach(peer)
    rule.ports?.forEach(port)
  }
  for (const stage of stages) for (const policy of stage.policies) selector(policy.subject.pods)
  return { podKeys: [...podKeys].sort(), portNames, protocols, blocks, blockOf, ...seen }
}

function* rulesOf(stages: readonly Stage[]): Generator<StageRule> {
  for (const stage of stages)
    for (const policy of stage.policies) {
      yield* policy.rules.ingress ?? []
      yield* policy.rules.egress ?? []
    }
}
