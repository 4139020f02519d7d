/** Conditions, events and waiting containers as evidence. */
import type { Condition, EventObject, NodeObject, PodObject } from '../../kubeobj/objects.ts'
import type { Evidence } from '../../model/evidence.ts'

/** Messages of runtimes and plugins can be pages long. */
const LIMIT = 500

/** One line, bounded. */
export function told(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > LIMIT ? `${line.slice(0, LIMIT)}…` : line
}

export function readyOf(of: NodeObject | PodObject): Condition | undefined {
  return of.conditions.find((c) => c.type === 'Ready')
}

/** `Node node1: Ready=False KubeletNotReady: …` */
export function conditionProof(of: NodeObject | PodObject, c: Condition | undefined): Evidence {
  if (!c) return { ...of.evidence, text: `${of.evidence.text}: no condition Ready` }
  const said = [c.reason, c.message].filter((x) => x !== undefined && x !== '').join(': ')
  return { ...of.evidence, text: told(`${of.evidence.text}: ${c.type}=${c.status} ${said}`) }
}

export function eventProof(e: EventObject): Evidence {
  const times = (e.count ?? 1) > 1 ? ` (${e.count} times)` : ''
  return {
    ...e.evidence,
    text: told(`${e.type} ${e.reason} ${e.about.kind} ${e.about.namespace}/${e.about.name}${times}: ${e.message}`),
  }
}

/** Phase, and what its containers wait for. */
export function waitingProof(p: PodObject): Evidence {
  const waits = p.containerStatuses
    .filter((s) => s.waitingReason !== undefined)
    .map((s) => `${s.name} waits: ${s.waitingReason}${s.waitingMessage ? ` (${s.waitingMessage})` : ''}`)
  const restarts = p.containerStatuses
    .filter((s) => s.restartCount > 0)
    .map((s) => `${s.name} restarted ${s.restartCount} times`)
  const parts = [
    `phase ${p.phase}`,
    p.podIPs.length > 0 ? `address ${p.podIPs.join(', ')}` : 'no address',
    ...waits,
    ...restarts,
  ]
  return {
    ...p.evidence,
    text: told(`${p.evidence.text}${p.nodeName ? ` on ${p.nodeName}` : ''}: ${parts.join('; ')}`),
  }
}
