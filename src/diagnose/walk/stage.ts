/** A packet's trace cut into the questions of the checklist: which step of the way answers which of them. */
import { ipEquals } from '../../base/ip.ts'
import type { Network } from '../../model/network.ts'
import type { Hop, PacketTrace, Step } from '../../model/trace.ts'
import { ruleOwner } from '../view/rule-owner.ts'

/** Where on the way a step belongs; the order is the packet's. `proxy`: an address or port is translated for a Service. */
export type Stage = 'send' | 'proxy' | 'route' | 'encap' | 'received' | 'routed' | 'deliver'

export const STAGES: readonly Stage[] = ['send', 'proxy', 'route', 'encap', 'received', 'routed', 'deliver']

export interface Staged {
  readonly stage: Stage
  readonly hop: Hop
  readonly step: Step
}

/**
 * Steps of one trace with their stage, in order. `goal` is the node the packet is meant for, when it is known: where that is the node
 * it starts from, nothing lies between nodes and all that happens on the node is delivery. A packet that another node redirects (a
 * NodePort there) starts its way to the pod on that node; what came before is sending.
 */
export function stagesOf(network: Network, trace: PacketTrace, goal: string | null): Staged[] {
  const all = trace.hops.flatMap((hop, at) => hop.steps.map((step) => ({ hop, step, at })))
  const turn = all.findIndex(
    ({ hop, step }, i) => isHost(network, hop) && turns(step, all[i - 1]?.step) && step.verdict !== 'drop',
  )
  const base = turn < 0 ? 0 : firstHopOf(trace, all[turn]?.at ?? 0)
  const start = trace.hops[base]?.node
  let decided: Stage = 'send'
  return all.map(({ hop, step, at }, i) => {
    const stage =
      at < base
        ? 'send'
        : stageOf(step, {
            at: at - base,
            host: isHost(network, hop),
            remote: hop.node !== start,
            local: goal !== null && goal === start,
            decided,
            redirected: turns(step, all[i - 1]?.step),
            first: i === 0,
          })
    if (stage !== 'proxy' && STAGES.indexOf(stage) > STAGES.indexOf(decided)) decided = stage
    return { stage, hop, step }
  })
}

/** The first hop of the stay on the node that redirects, unless the packet started there. */
function firstHopOf(trace: PacketTrace, at: number): number {
  const node = trace.hops[at]?.node
  if (node === trace.hops[0]?.node) return 0
  let first = at
  while (first > 0 && trace.hops[first - 1]?.node === node) first--
  return first
}

function isHost(network: Network, hop: Hop): boolean {
  return network.netns.get(hop.netns)?.kind === 'host' || hop.netns.endsWith('/host')
}

/** The step gives the packet another destination: DNAT, REDIRECT or IPVS. */
export function turns(step: Step, before: Step | undefined): boolean {
  if (step.kind === 'ipvs') return true
  if (!before || step.kind !== 'netfilter') return false
  return !ipEquals(before.packet.dst, step.packet.dst) || before.packet.dport !== step.packet.dport
}

interface Place {
  /** Hops since the packet was sent, or redirected by another node. */
  readonly at: number
  readonly host: boolean
  /** On another node than the one it starts from. */
  readonly remote: boolean
  readonly local: boolean
  readonly decided: Stage
  readonly redirected: boolean
  /** The first step of all. */
  readonly first: boolean
}

function stageOf(step: Step, p: Place): Stage {
  if (step.kind === 'socket' || step.kind === 'deliver') return 'deliver'
  if (!p.host) return p.at === 0 ? 'send' : 'deliver'
  if (p.redirected && !p.remote) return 'proxy'
  if (byPolicy(step)) return p.remote || p.local ? 'deliver' : 'route'
  return p.remote ? onFarNode(step, p) : onNearNode(step, p)
}

/** A rule of the policy engine that drops: on the destination's node that is a question of delivery. */
function byPolicy(step: Step): boolean {
  return (
    step.kind === 'netfilter' &&
    (step.verdict === 'drop' || step.verdict === 'reject') &&
    ruleOwner(step.table, step.chain) === 'policy'
  )
}

function onNearNode(step: Step, p: Place): Stage {
  if (p.first && step.kind === 'wire') return 'send'
  if (p.local) return step.kind === 'receive' && p.decided === 'send' ? 'send' : 'deliver'
  switch (step.kind) {
    case 'receive':
    case 'tc':
    case 'filter':
      return p.decided
    case 'route':
    case 'netfilter':
    case 'conntrack':
    case 'policy':
    case 'ipvs':
      return p.decided === 'encap' || (step.encap?.length ?? 0) > 0 ? 'encap' : 'route'
    default:
      return 'encap'
  }
}

function onFarNode(step: Step, p: Place): Stage {
  if ((step.encap?.length ?? 0) > 0 || step.kind === 'decap') return 'received'
  switch (step.kind) {
    case 'wire':
    case 'receive':
    case 'tc':
    case 'filter':
      return p.decided === 'routed' || p.decided === 'deliver' ? p.decided : 'received'
    case 'netfilter':
      return step.hook === 'prerouting' && p.decided !== 'routed' ? 'received' : 'routed'
    case 'route':
    case 'conntrack':
    case 'policy':
    case 'ipvs':
      return 'routed'
    default:
      return 'deliver'
  }
}
