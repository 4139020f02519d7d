/**
 * The eight steps from pod to pod (reference D1 of procedures-from-the-talks), answered by the traces of every choice a connection may
 * take. A step fails when it fails for any of them; later steps then speak of the choices that got so far.
 */
import { formatIp } from '../../base/ip.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { Network } from '../../model/network.ts'
import type { WalkStepId } from '../../model/walk.ts'
import type { Inquiry } from '../inquiry.ts'
import { type Draft, draft, notReached, some } from './draft.ts'
import { type Fate, said } from './fate.ts'
import { STAGES, type Stage, type Staged } from './stage.ts'

const STEPS: readonly { readonly stage: Stage; readonly id: WalkStepId; readonly title: string }[] = [
  { stage: 'send', id: 'pod.send', title: 'The packet leaves its pod and reaches the node' },
  { stage: 'route', id: 'pod.route', title: 'The node has the right route and lets it through' },
  { stage: 'encap', id: 'pod.encap', title: 'It is encapsulated right, or leaves the NIC as it is' },
  { stage: 'received', id: 'pod.received', title: 'The other node receives it' },
  { stage: 'routed', id: 'pod.routed', title: 'The other node routes it to the pod and lets it through' },
  { stage: 'deliver', id: 'pod.deliver', title: 'It is delivered: link, policy, listening process' },
]

/** What a reader wants to hear of a stage that was passed. */
const TELLING: Readonly<Record<Stage, readonly string[]>> = {
  send: ['route', 'send', 'wire', 'receive'],
  proxy: ['netfilter', 'ipvs'],
  route: ['route'],
  encap: ['neighbour', 'encap', 'wire', 'send'],
  received: ['receive', 'decap'],
  routed: ['route'],
  deliver: ['send', 'socket', 'deliver'],
}

/** Steps 2 to 8. `late`: why the packet was not even sent to a pod, when an earlier part of the checklist says so. */
export function podSteps(q: Inquiry, fates: readonly Fate[], late: string | null): Draft[] {
  const out: Draft[] = []
  let stopped = late
  for (const step of STEPS) {
    // What the pod sends is seen even when nothing on the node can go on with it.
    const sends = step.stage === 'send' && fates.length > 0
    const made = stopStep(q, fates, step, sends ? null : stopped)
    out.push(made)
    if (stopped === null && !anybodyAfter(fates, step.stage)) stopped = notReached(made.id)
  }
  out.push(returnStep(q, fates, stopped))
  return out
}

const order = (s: Stage | 'return') => (s === 'return' ? STAGES.length : STAGES.indexOf(s))

/** True when some choice gets beyond the stage. */
function anybodyAfter(fates: readonly Fate[], stage: Stage): boolean {
  return fates.some((f) => f.ending === null || f.ending.state === 'left' || order(f.ending.at) > order(stage))
}

function stopStep(q: Inquiry, fates: readonly Fate[], step: (typeof STEPS)[number], stopped: string | null): Draft {
  const { stage, id, title } = step
  if (stopped !== null) return draft(id, title, 'skipped', stopped)
  const ending = fates.filter((f) => f.ending?.at === stage)
  const bad = ending.find((f) => f.ending?.state === 'failed')
  if (bad?.ending)
    return draft(
      id,
      title,
      'failed',
      `${shareOf(fates, ending, bad)}${bad.ending.text}`,
      [...bad.ending.evidence, ...(bad.ending.finding?.evidence ?? []).slice(0, 2)].filter(distinct),
      bad.ending.finding?.code,
    )
  const open = ending.find((f) => f.ending?.state === 'unknown')
  if (open?.ending) return draft(id, title, 'unknown', `${shareOf(fates, ending, open)}${open.ending.text}`)
  const through = fates.filter(
    (f) => f.ending === null || f.ending.state === 'left' || order(f.ending.at) >= order(stage),
  )
  const shown = through.find((f) => f.staged.some((s) => s.stage === stage))
  if (shown) {
    const steps = shown.staged.filter((s) => s.stage === stage)
    const extra = stage === 'encap' ? mtus(q.network, shown.staged) : ''
    return draft(
      id,
      title,
      'ok',
      `${restOf(fates, through)}${textOf(stage, steps)}${extra}${others(through, shown, stage)}`,
      proofOf(stage, steps),
    )
  }
  const left = through.find((f) => f.ending?.state === 'left')
  if (left && order(stage) > order(left.ending?.at ?? 'send'))
    return draft(id, title, 'skipped', 'outside the network that was collected')
  return draft(id, title, 'skipped', `${restOf(fates, through)}${whyNot(stage, through)}`)
}

/** Why a stage does not exist on this way. */
function whyNot(stage: Stage, fates: readonly Fate[]): string {
  const way = fates[0]
  const source = way?.branch.source
  const inside = way?.branch.trace.forward.hops.length === 1
  if (inside) return 'nothing to do: the packet stays in its own network namespace'
  if (stage === 'send') return `nothing to do: ${source?.label ?? 'the sender'} is on the node itself`
  if (way?.goal) return `nothing to do: it is on ${way.goal} already, nothing lies between nodes`
  return 'nothing to do on this way'
}

function textOf(stage: Stage, steps: readonly Staged[]): string {
  const telling = TELLING[stage]
  const texts = steps.filter((s) => telling.includes(s.step.kind)).map((s) => said(s.step))
  if (stage === 'encap' && !steps.some((s) => s.step.kind === 'encap')) texts.push('not encapsulated')
  if (texts.length > 0) return [...new Set(texts)].join('; ')
  return steps.map((s) => said(s.step)).at(-1) ?? ''
}

function proofOf(stage: Stage, steps: readonly Staged[]): Evidence[] {
  const telling = steps.filter((s) => TELLING[stage].includes(s.step.kind))
  const evidence = [...(telling.length > 0 ? telling : steps)]
    .sort((x, y) => Number(y.step.kind === 'encap') - Number(x.step.kind === 'encap'))
    .flatMap((s) => s.step.evidence.slice(0, 1))
  return evidence.filter(distinct)
}

function distinct(e: Evidence, i: number, all: readonly Evidence[]): boolean {
  return all.findIndex((x) => x.artefact === e.artefact && x.line === e.line && x.text === e.text) === i
}

/** MTU of the links the packet is sent by, in bytes; the first is the sender's. */
function mtus(network: Network, staged: readonly Staged[]): string {
  const seen = new Map<string, number>()
  for (const { hop, step, stage } of staged) {
    if (stage !== 'send' && stage !== 'encap') continue
    const link = network.netns.get(hop.netns)?.links.find((l) => l.name === step.link)
    if (!link || link.kind === 'loopback') continue
    const pod = network.netns.get(hop.netns)?.pod
    const place = pod ? `pod ${pod.name}` : hop.node
    if (['send', 'encap', 'wire', 'neighbour'].includes(step.kind)) seen.set(`${link.name} of ${place}`, link.mtu)
    if (seen.size >= 4) break
  }
  return seen.size === 0 ? '' : `; MTU ${[...seen].map(([name, mtu]) => `${mtu} on ${name}`).join(', ')}`
}

/** `50 % of connections (to 10.0.0.1): ` where not all fare alike. */
function shareOf(all: readonly Fate[], alike: readonly Fate[], shown: Fate): string {
  if (alike.length === all.length) return ''
  const sum = (list: readonly Fate[]) => list.reduce((n, f) => n + f.branch.trace.probability, 0)
  const total = sum(all)
  if (total <= 0) return ''
  return `${Math.round((sum(alike) / total) * 1000) / 10} % of connections (to ${formatIp(shown.branch.trace.forward.packet.dst)}): `
}

/** `the rest (to 10.0.0.1): ` where other choices ended before. */
function restOf(all: readonly Fate[], through: readonly Fate[]): string {
  if (through.length === all.length) return ''
  return `the rest (to ${some([...new Set(through.map((f) => formatIp(f.branch.trace.forward.packet.dst)))])}): `
}

/** The other destinations: those that pass here too, and those that need not. */
function others(through: readonly Fate[], shown: Fate, stage: Stage): string {
  const to = (f: Fate) => formatIp(f.branch.trace.forward.packet.dst)
  const rest = through.filter((f) => to(f) !== to(shown))
  const here = [...new Set(rest.filter((f) => f.staged.some((s) => s.stage === stage)).map(to))]
  const near = [...new Set(rest.map(to))].filter((t) => !here.includes(t))
  const also = here.length > 0 ? `; likewise to ${some(here)}` : ''
  return `${also}${near.length > 0 ? `; not needed to ${some(near)} on the same node` : ''}`
}

function returnStep(q: Inquiry, fates: readonly Fate[], stopped: string | null): Draft {
  const id = 'pod.return'
  const title = 'The answer comes back the same way'
  if (stopped !== null) return draft(id, title, 'skipped', stopped)
  const ending = fates.filter((f) => f.ending?.at === 'return')
  const bad = ending.find((f) => f.ending?.state === 'failed') ?? ending[0]
  if (bad?.ending) {
    const { back, finding, state, text, evidence } = bad.ending
    const where = back ? `on ${back.node}, ${WORDS[back.stage]}: ` : ''
    return draft(
      id,
      title,
      state === 'failed' ? 'failed' : 'unknown',
      `${shareOf(fates, ending, bad)}${where}${text}`,
      [...evidence, ...(finding?.evidence ?? []).slice(0, 2)].filter(distinct),
      state === 'failed' ? finding?.code : undefined,
    )
  }
  const shown = fates.find((f) => f.branch.trace.reply !== null && f.ending === null)
  const reply = shown?.branch.trace.reply
  if (!shown || !reply) {
    const outside = fates.some((f) => f.ending?.state === 'left')
    if (outside && q.probes?.results.some((r) => r.answered > 0))
      return draft(id, title, 'ok', 'the packets sent by --prove were answered')
    return draft(id, title, outside ? 'unknown' : 'skipped', outside ? OUTSIDE : 'there is no answer to follow')
  }
  const p = reply.packet
  const nodes = [...new Set(reply.hops.map((h) => h.node))].join(', ')
  const proof = reply.hops.flatMap((h) =>
    h.steps.filter((s) => s.kind === 'route').flatMap((s) => s.evidence.slice(0, 1)),
  )
  return draft(
    id,
    title,
    'ok',
    `${restOf(
      fates,
      fates.filter((f) => f.ending === null),
    )}comes back by ${nodes} as ${formatIp(p.src)}${p.sport ? ` port ${p.sport}` : ''}, the address that was asked`,
    proof.filter(distinct),
  )
}

const OUTSIDE = 'whether the outside answers is not in the evidence; --prove asks with real packets'

/** The stages of the way back, in words. */
const WORDS: Readonly<Record<Stage, string>> = {
  send: 'leaving',
  proxy: 'translating',
  route: 'routing',
  encap: 'sending to the other node',
  received: 'receiving',
  routed: 'routing to the pod',
  deliver: 'delivering',
}
