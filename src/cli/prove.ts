/** `--prove`: sends the planned packets for a question, watches them on the way, and reads counters before and after. */
import { basename } from 'node:path'
import { formatIp } from '../base/ip.ts'
import type { Inventory } from '../collect/inventory.ts'
import { describePlace, type ProbePlace } from '../collect/prove/place.ts'
import {
  type Asked as AskedOfNode,
  askFrom,
  countersAt,
  type Job,
  RULE_TOOLS,
  watchAt,
} from '../collect/prove/probe.ts'
import { movedBetween } from '../collect/prove/read-counters.ts'
import { type PlannedProbe, planProbes } from '../diagnose/checks/probe/plan.ts'
import { nodeMtuProbe, watchedPath } from '../diagnose/checks/probe/watch-plan.ts'
import type { Inquiry, ProbeReport, ProbeResult } from '../diagnose/inquiry.ts'
import { lossyEchoes, predicted, probeAlwaysAnswered } from '../diagnose/probes.ts'
import type { Asked } from '../diagnose/question/asked.ts'
import type { NetnsId } from '../model/network.ts'
import type { CounterMove, Sighting, Sightings, SilentNeighbour } from '../model/probe.ts'

/** Where probes for a netns start; null when the inventory has no way into it. */
function placeOf(inventory: Inventory, netns: NetnsId | null): ProbePlace | null {
  const [nodeName = '', kind = '', namespace = '', name = ''] = netns?.split('/') ?? []
  const node = inventory.nodes.find((n) => n.name === nodeName)
  if (!node) return null
  if (kind === 'host') return { via: node.via, pod: null }
  const pod = inventory.pods.find((p) => p.namespace === namespace && p.name === name && p.node === nodeName)
  return pod && kind === 'pod' ? { via: node.via, pod: pod.via } : null
}

function jobOf(p: PlannedProbe): Job {
  const extra = p.kind === 'mtu' ? `${p.low}-${p.high}` : p.kind === 'dns' ? p.name : p.pace?.toString()
  return {
    kind: p.kind,
    address: formatIp(p.address),
    port: p.port,
    count: p.count,
    wait: p.wait,
    ...(p.sourcePort === undefined ? {} : { sourcePort: p.sourcePort }),
    ...(extra === undefined ? {} : { extra }),
  }
}

function resultsOf(plan: readonly PlannedProbe[], said: AskedOfNode): ProbeResult[] {
  return plan.flatMap((p, i): ProbeResult[] => {
    const job = said.jobs[i]
    if (!job || job.sent === 0) return []
    const { sent, answered, error, milliseconds, senders, dns, mtu } = job
    return [
      {
        kind: p.kind,
        purpose: p.purpose,
        target: p.target,
        address: p.address,
        sent,
        answered,
        ...(error === undefined ? {} : { error }),
        ...(milliseconds === undefined ? {} : { milliseconds }),
        ...(senders.length > 0 ? { senders } : {}),
        ...(said.blind === null ? {} : { blind: said.blind }),
        ...(dns.length > 0 ? { dns } : {}),
        ...(mtu ? { mtu: { ...mtu, configured: p.high ?? 0 } } : {}),
        command: said.command,
        output: said.output,
      },
    ]
  })
}

interface Observed {
  readonly sightings: Sightings
  readonly moved: readonly CounterMove[]
  readonly counted: readonly NetnsId[]
  readonly silent: readonly SilentNeighbour[]
}

/** Milliseconds that watchers may take to be ready, on all nodes. */
const READY = 5000
/** Milliseconds in which the last packets of a probe arrive. */
const AFTER = 60

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Does `ask` while the netns of the way are watched and their counters read before and after. */
async function observing<T>(
  q: Inquiry,
  inventory: Inventory,
  protocol: number,
  ask: () => Promise<T>,
  signal?: AbortSignal,
): Promise<{ readonly value: T; readonly observed: Observed }> {
  const path = watchedPath(q, protocol)
  const places = path.netns.flatMap((id) => {
    const place = placeOf(inventory, id)
    return place ? [{ id, place }] : []
  })
  const count = () =>
    Promise.all(places.map(({ id, place }) => countersAt(place, toolsOf(q, id), path.suspects, signal)))
  const watchers = places.map(({ place }) => watchAt(place, path.spec))
  const before = await count()
  await Promise.race([Promise.all(watchers.map((w) => w.ready)), pause(READY)])
  const value = await ask()
  await pause(AFTER)
  const views = await Promise.all(watchers.map((w) => w.stop()))
  const after = await count()
  const seen: Sighting[] = []
  const notWatched: { netns: NetnsId; reason: string }[] = path.netns
    .filter((id) => !places.some((p) => p.id === id))
    .map((netns) => ({ netns, reason: 'the inventory has no way into it' }))
  const moved: CounterMove[] = []
  const counted: NetnsId[] = []
  const silent: SilentNeighbour[] = []
  places.forEach(({ id, place }, i) => {
    const view = views[i]
    if (view && 'seen' in view) seen.push(...view.seen.map((s) => ({ netns: id, ...s })))
    else if (view) notWatched.push({ netns: id, reason: view.reason })
    const [b, a] = [before[i], after[i]]
    if (!b || !a) return
    silent.push(...a.silent.map((s) => ({ netns: id, ...s })))
    const moves = movedBetween(b, a)
    if (!moves) return
    counted.push(id)
    moved.push(...moves.map((m) => ({ ...m, netns: id, command: `${describePlace(place)}: counters` })))
  })
  const watched = places.map((p) => p.id).filter((id) => !notWatched.some((n) => n.netns === id))
  return { value, observed: { sightings: { watched, notWatched, seen }, moved, counted, silent } }
}

/** The programs that told the rules of a netns when it was collected. */
function toolsOf(q: Inquiry, id: NetnsId) {
  const told = (q.network.netns.get(id)?.rulesets ?? [])
    .filter((r) => r.tables.length > 0)
    .map((r) => basename(r.artefact).replace(/\.(txt|json)$/, ''))
  return RULE_TOOLS.filter((t) => told.includes(t) || (t === 'nft' && told.includes('nft-ruleset')))
}

/** Sends the probes and gives the report; null when no place to send from is known. */
export async function prove(
  q: Inquiry,
  asked: Asked,
  inventory: Inventory,
  signal?: AbortSignal,
): Promise<ProbeReport | null> {
  const [source] = asked.sources
  const [target] = asked.targets
  const place = source ? placeOf(inventory, source.netns) : null
  if (!source || !target || !place) return null
  const plan = planProbes(q, asked, source, target)
  const ask = (probes: readonly PlannedProbe[]) => askFrom(place, probes.map(jobOf), signal)
  if (predicted(q).length > 0) {
    // Where the state says why they die, packets are watched and the suspected rule's counter is read at once.
    const few = plan.filter((p) => p.purpose === 'asked' || p.purpose === 'endpoint')
    const { value, observed } = await observing(q, inventory, asked.protocol, () => ask(few), signal)
    return value ? { results: resultsOf(few, value), ...observed } : null
  }
  const said = await ask(plan)
  if (!said) return null
  const results = resultsOf(plan, said)
  const small = results.find((r) => r.purpose === 'path-mtu')
  if (small?.mtu && small.mtu.lost > 0 && small.mtu.largest > 0) {
    const between = nodeMtuProbe(q, small.address)
    const from = between ? placeOf(inventory, between.from) : null
    const heard = between && from ? await askFrom(from, [jobOf(between.probe)], signal) : null
    if (between && heard) results.push(...resultsOf([between.probe], heard))
  }
  const lossy = lossyEchoes({ probes: { results } })
  if (probeAlwaysAnswered({ probes: { results } }) && !lossy) return { results }
  // The packets disagree with the state: the same again, watched on the way.
  const again = plan
    .filter((p) => (lossy ? p.kind === 'echo' : p.purpose === 'asked'))
    .map((p) => ({ ...p, count: Math.min(p.count, lossy ? 60 : 4) }))
  const protocol = lossy ? (again[0]?.address.family === 6 ? 58 : 1) : asked.protocol
  const { observed } = await observing(q, inventory, protocol, () => ask(again), signal)
  return { results, ...observed }
}
