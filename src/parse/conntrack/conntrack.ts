/** `conntrack -L [-o extended]` (conntrack-tools) and /proc/net/nf_conntrack (nf_conntrack_standalone.c ct_seq_show). */
import { parseIp } from '../../base/ip.ts'
import { protocolNumber } from '../../base/protocol.ts'
import type { ConntrackEntry, Tuple } from '../../model/conntrack.ts'
import { evidenceOf, issueList, type Listing, type Origin, readLines } from '../rows.ts'

interface Half {
  src?: string
  dst?: string
  sport?: number
  dport?: number
  id?: number
}

export function parseConntrack(text: string, origin: Origin): Listing<ConntrackEntry> {
  const found = issueList(origin)
  const value: ConntrackEntry[] = []
  let complete = true
  for (const { value: raw, line } of readLines(text)) {
    if (/^conntrack v\S+ \(conntrack-tools\)/.test(raw)) continue
    const entry = readEntry(raw.trim())
    if (entry) value.push({ ...entry, evidence: evidenceOf(origin, { line, text: raw }) })
    else {
      complete = false
      found.add(line, 'not a conntrack entry')
    }
  }
  return { value, issues: found.issues, complete }
}

function readEntry(raw: string): Omit<ConntrackEntry, 'evidence'> | null {
  const words = raw.split(/\s+/)
  let i = words[0] === 'ipv4' || words[0] === 'ipv6' ? 2 : 0
  const protocol = /^\d+$/.test(words[i + 1] ?? '') ? Number(words[i + 1]) : protocolNumber(words[i] ?? '')
  if (protocol === null || protocol > 255) return null
  i += 2
  const timeout = /^\d+$/.test(words[i] ?? '') ? Number(words[i++]) : undefined
  const tcpState = /^[A-Z][A-Z0-9_]+$/.test(words[i] ?? '') ? words[i++] : undefined
  const halves: Half[] = []
  const flags = new Set<string>()
  const rest = new Map<string, string>()
  for (; i < words.length; i++) {
    const w = words[i]!
    const eq = w.indexOf('=')
    if (w.startsWith('[')) flags.add(w)
    if (eq < 0) continue
    const key = w.slice(0, eq)
    const text = w.slice(eq + 1)
    // `id` is the echo identifier inside a tuple, and the entry's own number at the end (-o id).
    if (key === 'src') halves.push({ src: text })
    const half = halves[halves.length - 1]
    if (half && key === 'dst') half.dst = text
    else if (half && (key === 'sport' || key === 'dport')) half[key] = Number(text)
    else if (half && key === 'id' && half.id === undefined && !rest.has('mark') && !rest.has('use'))
      half.id = Number(text)
    else rest.set(key, text)
  }
  const original = tuple(halves[0], protocol)
  const reply = tuple(halves[1], protocol)
  if (halves.length !== 2 || !original || !reply) return null
  return {
    original,
    reply,
    ...(tcpState === undefined ? {} : { tcpState }),
    seenReply: !flags.has('[UNREPLIED]'),
    assured: flags.has('[ASSURED]'),
    mark: natural(rest.get('mark')),
    zone: natural(rest.get('zone') ?? rest.get('zone-orig')),
    ...(timeout === undefined ? {} : { timeout }),
  }
}

function tuple(half: Half | undefined, protocol: number): Tuple | null {
  const src = parseIp(half?.src ?? '')
  const dst = parseIp(half?.dst ?? '')
  if (!half || !src || !dst || src.family !== dst.family) return null
  const icmp = protocol === 1 || protocol === 58
  const sport = icmp ? (half.id ?? 0) : (half.sport ?? 0)
  const dport = icmp ? (half.id ?? 0) : (half.dport ?? 0)
  return [sport, dport].every((p) => Number.isInteger(p) && p >= 0 && p <= 65535)
    ? { src, dst, protocol, sport, dport }
    : null
}

function natural(text: string | undefined): number {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : 0
}

/**
 * `conntrack -S`: counters of all CPUs added up, named `conntrack.drop`, `conntrack.insert_failed` and so on, so that they
 * cannot be taken for nstat names.
 */
export function parseConntrackStats(text: string, origin: Origin): Listing<readonly [string, number]> {
  const sums = new Map<string, number>()
  const found = issueList(origin)
  let complete = true
  for (const { value: raw, line } of readLines(text)) {
    if (!raw.startsWith('cpu=')) {
      complete = false
      found.add(line, 'not a line of conntrack -S')
      continue
    }
    for (const m of raw.matchAll(/(\w+)=(\d+)/g))
      if (m[1] !== 'cpu') sums.set(`conntrack.${m[1]}`, (sums.get(`conntrack.${m[1]}`) ?? 0) + Number(m[2]))
  }
  return { value: [...sums], issues: found.issues, complete }
}
