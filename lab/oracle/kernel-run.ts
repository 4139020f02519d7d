/** Loads a case into the router and reads off what the kernel did with each probe: its fate and the rules it counted. */
import type { Arena } from './arena.ts'
import { type OracleCase, type RulesetPieces, renderRuleset } from './case.ts'
import type { Observation, Probe, Seen } from './probe.ts'

export interface KernelResult {
  readonly fate: 'accept' | 'local' | 'drop' | 'reject'
  /** Link it left by. */
  readonly out: 'lan0' | 'wan0' | null
  /** The packet at delivery. */
  readonly seen: Seen | null
  /** `tcp-reset` or `icmp TYPE/CODE`, of a rejected packet. */
  readonly answer: string | null
  /** Per ruleset of the case: lines of its listing whose counter moved. */
  readonly hits: readonly ReadonlySet<number>[]
  /** Lines whose rule looks something up behind its counter: counted although a miss ends the rule, which the kernel's trace does not report. */
  readonly countedEarly: readonly ReadonlySet<number>[]
}

/**
 * A rule that asks for the connection keeps conntrack on, as on every Kubernetes node: without one, Linux does not track at all
 * and passes nat chains by (docs/lab-notes/conntrack-off.md).
 *
 * Answers of the router's own stack (RST, ICMP errors, echo replies) are counted and dropped before any hook under test
 * sees them, or their way through OUTPUT would be mistaken for the probe's.
 */
const ANSWERS: readonly (readonly [string, string])[] = [
  ['tcp-reset', 'tcp flags & rst == rst'],
  ...[0, 1, 2, 3, 9, 10, 13].map((c) => [`icmp 3/${c}`, `icmp type destination-unreachable icmp code ${c}`] as const),
  ...[0, 1, 3, 4, 5, 6].map((c) => [`icmpv6 1/${c}`, `icmpv6 type destination-unreachable icmpv6 code ${c}`] as const),
  ['other', 'icmp type { echo-reply, timestamp-reply, time-exceeded, parameter-problem }'],
  [
    'other',
    'icmpv6 type { echo-reply, time-exceeded, packet-too-big, parameter-problem, nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld2-listener-report }',
  ],
]
const GUARD = `table inet oracle_guard {
  chain tracking { type filter hook output priority 1000; ct state invalid counter; }
  chain answers { type filter hook output priority -1000;
${ANSWERS.map(([label, match]) => `    ${match} counter drop comment "${label}"`).join('\n')}
  }
}
`
const CHAINS = { raw: 'PO', mangle: 'PIFOQ', nat: 'PIOQ', filter: 'IFO', security: 'IFO' } as const
const CHAIN_NAMES: Readonly<Record<string, string>> = {
  P: 'PREROUTING',
  I: 'INPUT',
  F: 'FORWARD',
  O: 'OUTPUT',
  Q: 'POSTROUTING',
}
/** Empty tables with their policies named: a policy that is not named stays what it was. */
const EMPTY = Object.entries(CHAINS)
  .map(
    ([t, hooks]) => `*${t}
${[...hooks]
  .map(
    (h) => `:${CHAIN_NAMES[h]} ACCEPT [0:0]
`,
  )
  .join('')}COMMIT
`,
  )
  .join('')

const saver = (r: RulesetPieces) =>
  `${r.backend === 'iptables-legacy' ? 'iptables-legacy' : 'iptables-nft'}-save`.replace(
    'iptables',
    r.family === 4 ? 'iptables' : 'ip6tables',
  )
const restorer = (r: RulesetPieces) => saver(r).replace('-save', '-restore')

/** Empties what a case may have left, and puts the guard in place. */
export function clear(arena: Arena): void {
  arena.run('nft', ['flush', 'ruleset'])
  for (const tool of ['iptables-legacy', 'ip6tables-legacy']) {
    const tables = arena.run('cat', [`/proc/net/${tool.startsWith('ip6') ? 'ip6' : 'ip'}_tables_names`]).stdout
    if (tables.trim()) arena.run(`${tool}-restore`, [], EMPTY)
  }
  arena.run('ipset', ['destroy'])
  const guard = arena.run('nft', ['-f', '-'], GUARD)
  if (guard.code !== 0) throw new Error(`guard: ${guard.stderr}`)
}

/** Loads the case; null when loaded, else the first complaint of the tool that refused it. */
export function load(arena: Arena, c: OracleCase): string | null {
  clear(arena)
  if (c.ipsets.length) {
    const sets = arena.run('ipset', ['restore'], `${c.ipsets.join('\n')}\n`)
    if (sets.code !== 0) return `ipset: ${sets.stderr.split('\n')[0]}`
  }
  for (const r of c.rulesets) {
    const text = renderRuleset(r)
    const done = r.backend === 'nft' ? arena.run('nft', ['-f', '-'], text) : arena.run(restorer(r), [], text)
    if (done.code !== 0) return `${r.backend}: ${done.stderr.split('\n').slice(0, 2).join(' ')}`
  }
  return null
}

/** The listing of one ruleset as a user would save it, with counters. */
export function listing(arena: Arena, r: RulesetPieces): string {
  if (r.backend !== 'nft') return arena.run(saver(r), ['-c']).stdout
  return arena.run('nft', ['list', 'table', r.tableFamily, r.tables[0]!.name]).stdout
}

/** Packets counted so far, by 1-based line of the listing. */
function counts(text: string): Map<number, number> {
  const out = new Map<number, number>()
  text.split('\n').forEach((line, i) => {
    const m = /^\[(\d+):\d+\] -A /.exec(line) ?? /counter packets (\d+) bytes/.exec(line)
    if (m) out.set(i + 1, Number(m[1]))
  })
  return out
}

const answered = (text: string) => {
  const out = new Map<string, number>()
  for (const m of text.matchAll(/counter packets (\d+) .*comment "([^"]+)"/g))
    out.set(m[2]!, (out.get(m[2]!) ?? 0) + Number(m[1]))
  return out
}

function fateOf(o: Observation, probe: Probe, answer: string | null): Omit<KernelResult, 'hits' | 'countedEarly'> {
  const same = (s: Seen) => s.protocol === probe.protocol && (s.icmpType === undefined || s.icmpType === probe.icmpType)
  const at = (copies: readonly Seen[]) => copies.find(same) ?? null
  const server = at(o.s)
  if (server) return { fate: 'accept', out: 'wan0', seen: server, answer: null }
  const client = at(o.c)
  if (client) return { fate: 'accept', out: 'lan0', seen: client, answer: null }
  const local = at(o.local)
  if (local) return { fate: 'local', out: null, seen: local, answer: null }
  return answer && answer !== 'other'
    ? { fate: 'reject', out: null, seen: null, answer }
    : { fate: 'drop', out: null, seen: null, answer: null }
}

/** Sends one probe through the loaded case. `before` are the listings taken when it was loaded. */
export async function observe(
  arena: Arena,
  c: OracleCase,
  probe: Probe,
): Promise<{ result: KernelResult; listings: string[] }> {
  await arena.flush()
  const before = c.rulesets.map((r) => counts(listing(arena, r)))
  const answeredBefore = answered(arena.run('nft', ['list', 'table', 'inet', 'oracle_guard']).stdout)
  const o = await arena.send(probe)
  const listings = c.rulesets.map((r) => listing(arena, r))
  const answeredAfter = answered(arena.run('nft', ['list', 'table', 'inet', 'oracle_guard']).stdout)
  const answer = [...answeredAfter].find(([label, n]) => n > (answeredBefore.get(label) ?? 0))?.[0] ?? null
  const hits = listings.map((text, i) => {
    const moved = new Set<number>()
    for (const [line, n] of counts(text)) if (n > (before[i]!.get(line) ?? 0)) moved.add(line)
    return moved
  })
  const countedEarly = listings.map(
    (text) => new Set(text.split('\n').flatMap((line, i) => (/counter packets .* v?map /.test(line) ? [i + 1] : []))),
  )
  return { result: { ...fateOf(o, probe, answer), hits, countedEarly }, listings }
}
