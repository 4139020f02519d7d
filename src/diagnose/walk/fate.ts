/** What became of each load-balancing choice, in the words of the checklist. */
import type { Evidence } from '../../model/evidence.ts'
import type { Finding } from '../../model/finding.ts'
import type { Step } from '../../model/trace.ts'
import { decisive } from '../finding.ts'
import type { Branch, Failure, Inquiry } from '../inquiry.ts'
import { ownerOf } from '../view/owner.ts'
import { frontendOf } from '../view/service-view.ts'
import { causeOf } from './cause.ts'
import { type Stage, type Staged, stagesOf } from './stage.ts'

/** Where a packet's way ended, when that is not its goal. */
export interface Ending {
  readonly at: Stage | 'return'
  /** `left`: it leaves what was collected. */
  readonly state: 'failed' | 'unknown' | 'left'
  readonly text: string
  readonly evidence: readonly Evidence[]
  readonly finding?: Finding
  /** For `return`: the stage of the way back. */
  readonly back?: { readonly stage: Stage; readonly node: string }
}

export interface Fate {
  readonly branch: Branch
  readonly staged: readonly Staged[]
  /** Node of the destination after translation; null when nobody known has the address. */
  readonly goal: string | null
  /** Sent for a Service, and some step redirected it. */
  readonly translated: boolean
  /** Meant for a Service address, which is on no machine. */
  readonly virtual: boolean
  /** The client was chosen as its own backend. */
  readonly hairpin: boolean
  readonly ending: Ending | null
}

/** The fate of a branch of the inquiry. */
export function fateOf(branch: Branch, q: Inquiry): Fate {
  const { forward, reply } = branch.trace
  const owner = ownerOf(q.network, q.objects, forward.packet.dst)
  const goal =
    forward.disposition === 'delivered'
      ? (forward.hops.at(-1)?.node ?? null)
      : owner.kind === 'pod'
        ? (owner.node ?? null)
        : owner.kind === 'node' || owner.kind === 'pod-range'
          ? owner.node
          : null
  const staged = stagesOf(q.network, forward, goal)
  const translated = staged.some((s) => s.stage === 'proxy' && s.step.verdict !== 'reject')
  const { target, source } = branch
  const virtual = target.port !== null && frontendOf(q, target.ip, target.port, forward.packet.protocol) !== null
  const hairpin =
    translated &&
    owner.kind === 'pod' &&
    source.netns !== null &&
    (owner.netns?.id === source.netns || (forward.disposition === 'delivered' && forward.netns === source.netns))
  const failure = q.failures.find((f) => f.branch === branch)
  const base = { branch, staged, goal, translated, virtual, hairpin }
  if (!failure) return { ...base, ending: null }
  const finding = causeOf(failure, q) ?? undefined
  const ending = endingOf(failure, finding)
  if (failure.direction === 'reply' && reply) {
    const way = stagesOf(q.network, reply, branch.source.netns?.split('/')[0] ?? null)
    const at = way.findLast((s) => s.step === failure.step) ?? way.at(-1)
    return {
      ...base,
      ending: {
        ...ending,
        at: 'return',
        ...(at ? { back: { stage: blamed(at.stage, finding), node: at.hop.node } } : {}),
      },
    }
  }
  const at = blamed(staged.findLast((s) => s.step === failure.step)?.stage ?? 'send', finding)
  return { ...base, ending: { ...ending, at: virtual && !translated && at !== 'send' ? 'proxy' : at } }
}

/** Causes that are a matter of routing though the packet died later: a missing route lets it leave by the default one. */
const ROUTING: ReadonlySet<string> = new Set([
  'route-missing',
  'route-wrong-next-hop',
  'route-shadowed',
  'route-blackhole',
  'routing-rule-wrong',
  'cidr-overlap-node',
  'cidr-overlap-external',
])

/** The stage that is to blame: where the packet died, or the routing before it. */
function blamed(stage: Stage, finding: Finding | undefined): Stage {
  if (!finding || !ROUTING.has(finding.code)) return stage
  if (stage === 'encap') return 'route'
  return stage === 'deliver' ? 'routed' : stage
}

function endingOf(failure: Failure, finding: Finding | undefined): Omit<Ending, 'at'> {
  const { step, branch } = failure
  const { disposition } = branch.trace
  const state =
    finding?.severity === 'error' || (disposition !== 'insufficient-info' && disposition !== 'exits-network')
      ? 'failed'
      : disposition === 'exits-network'
        ? 'left'
        : 'unknown'
  const unknowns = failure.trace.unknowns
  const seen = state === 'unknown' && unknowns.length > 0 ? `not known: ${unknowns.slice(0, 2).join('; ')}` : said(step)
  const text = state === 'failed' && finding ? `${finding.title} (seen: ${seen})` : seen
  return { state, text, evidence: decisive(step), ...(finding ? { finding } : {}) }
}

/** A step in one phrase, without what only experts of `ip route` miss. */
export function said(step: Step): string {
  const text = step.text.replace(' (table main)', '')
  return step.kind === 'netfilter' && step.hook && !text.startsWith(step.hook) ? `${step.hook}: ${text}` : text
}
