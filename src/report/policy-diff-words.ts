/** Words of a comparison of policies that text and markdown share. Not escaped: the format does that. */
import type { CutFlow, PolicyCause, PolicyDiff, PolicyDifference } from '../model/policy-diff.ts'

const EVERY = ['TCP', 'UDP', 'SCTP']

/** `TCP 9090`; `every port, TCP 9090 among them`; `TCP 1-79, TCP 81-65535, UDP, SCTP (no declared port)`. */
export function portsText(d: PolicyDifference): string {
  const { ports, declared } = d
  const every = ports.includes('all') || EVERY.every((p) => ports.includes(p))
  if (every) return declared.length > 0 ? `every port, ${listed(declared, 4)} among them` : 'every port'
  const exact = declared.length > 0 && declared.length === ports.length && declared.every((p) => ports.includes(p))
  if (exact) return listed(declared, 6)
  const all = listed(
    ports.map((p) => (EVERY.includes(p) ? `all ${p}` : p)),
    6,
  )
  return declared.length > 0 ? `${listed(declared, 4)} (of ${all})` : all
}

/** Losing DNS in sentences, those of one sender and cause together. */
export function dnsTexts(lost: readonly PolicyDifference[]): { readonly text: string; readonly because: string }[] {
  const groups = new Map<string, PolicyDifference[]>()
  for (const d of lost) {
    const key = JSON.stringify([d.from, d.because, d.declared, d.ports])
    const known = groups.get(key)
    if (known) known.push(d)
    else groups.set(key, [d])
  }
  return [...groups.values()].map((g) => ({ text: dnsText(g), because: becauseText(g[0]!.because) }))
}

function dnsText(group: readonly PolicyDifference[]): string {
  const d = group[0]!
  const lost = new Set(group.map((x) => x.to))
  const left = (d.dnsLeft ?? []).filter((name) => !lost.has(name))
  const servers = listed([...lost], 3)
  const where = `(${listed(d.declared.length > 0 ? d.declared : d.ports, 4)} of ${servers})`
  const protocols = ['UDP', 'TCP'].filter((p) => d.declared.length === 0 || d.declared.some((x) => x.startsWith(p)))
  if (protocols.join() === 'TCP')
    return `${d.from} can no longer ask the cluster DNS over TCP: answers too long for UDP fail ${where}`
  if (left.length > 0)
    return `${d.from} can no longer ask some of the DNS servers: queries that go there are lost ${where}; ${listed(left, 3)} still answer`
  return `${d.from} can no longer ask the cluster DNS: no name will resolve ${where}`
}

/** Why, in a sentence without a full stop; empty where it is not known. */
export function becauseText(because: readonly PolicyCause[], most = 3): string {
  if (because.length === 0) return ''
  const told = because.slice(0, most).map((c) => causeText(c))
  const more = because.length > most ? `, and ${because.length - most} more` : ''
  const alone = because[0]!.alone
  const joint = alone ? '; or ' : ' and '
  const together = !alone && because.length > 1 ? ', only together' : ''
  return `${told.join(joint)}${more}${together}`
}

const VERB = { added: 'is new', removed: 'is gone', changed: 'changed' } as const

function causeText(c: PolicyCause): string {
  return `${c.object}${c.direction ? ` (${c.direction})` : ''} ${VERB[c.change]}${c.place === undefined ? '' : ` (${c.place})`}`
}

/** `214 flows/min`, `3 flows`; empty where none were seen. */
export function flowsText(f: { readonly flows?: number; readonly flowsPerMinute?: number }): string {
  if (f.flowsPerMinute !== undefined && f.flowsPerMinute > 0) return `${f.flowsPerMinute} flows/min`
  if (f.flows === undefined || f.flows === 0) return ''
  return f.flows === 1 ? '1 flow' : `${f.flows} flows`
}

export const cutText = (c: CutFlow): string =>
  `${c.unsure ? 'may cut' : 'would cut'} ${flowsText(c)} of ${c.from} → ${c.to} (${c.port})`

/** One line for the whole. */
export function verdictText(d: PolicyDiff): string {
  const { lost, gained, unknown } = d.totals
  if (lost + gained + unknown === 0) {
    if (d.empty && d.unjudged.length > 0) return 'not known: there is no workload to judge the policies by'
    return 'no connection changes'
  }
  const parts = [
    lost > 0 ? `${plural(lost, 'connection')} lost` : '',
    gained > 0 ? `${lost > 0 ? gained : plural(gained, 'connection')} gained` : '',
    unknown > 0 ? `${lost + gained > 0 ? unknown : plural(unknown, 'connection')} of which it is not known` : '',
  ]
  return parts.filter((p) => p !== '').join(', ')
}

/** Mark of the whole: `unknown` also where nothing could be judged. */
export function outcomeOf(d: PolicyDiff): 'lost' | 'unknown' | 'gained' | 'same' {
  const { lost, gained, unknown } = d.totals
  if (lost > 0) return 'lost'
  if (unknown > 0 || (d.empty && d.unjudged.length > 0)) return 'unknown'
  return gained > 0 ? 'gained' : 'same'
}

/** What limits the answer. */
export function notesOf(d: PolicyDiff): readonly string[] {
  const { unjudged } = d
  const about = `${listed(unjudged, 5)}: about no workload that is here, so what ${unjudged.length === 1 ? 'it changes' : 'they change'} elsewhere is not told`
  return [...(unjudged.length > 0 ? [about] : []), ...d.notes, ...(d.flows?.notes ?? [])]
}

const plural = (n: number, word: string) => `${n} ${word}${n === 1 ? '' : 's'}`

/** `a, b and 3 more`. */
export function listed(names: readonly string[], most: number): string {
  return names.length > most ? `${names.slice(0, most).join(', ')} and ${names.length - most} more` : names.join(', ')
}
