/** Random worlds: what the kernel did against what the trace says. */
import { spawnSync } from 'node:child_process'
import { random } from '../../lab/oracle/random.ts'
import { formatIp, parseIp, UNSPECIFIED } from '../../src/base/ip.ts'
import { protocolNumber } from '../../src/base/protocol.ts'
import { traceConnection } from '../../src/datapath/trace.ts'
import type { ConnectionTrace } from '../../src/model/trace.ts'
import type { Dump } from './from-dumps.ts'
import { networkOf } from './from-dumps.ts'
import program from './kernel-world.py'
import { LISTEN, mutation, NETNS, PAIRS, question, SETUP } from './world.ts'

export interface Met {
  readonly fate: string
  readonly seen: string
}

export interface Judged {
  readonly question: readonly [string, string, string, number]
  readonly met: Met
  readonly traces: readonly ConnectionTrace[]
  readonly verdict: 'agree' | 'unknown' | 'disagree'
}

export interface Round {
  readonly seed: number
  readonly mutations: readonly string[]
  readonly judged: readonly Judged[]
  readonly error?: string
}

export function playCase(
  mutations: readonly string[],
  questions: readonly (readonly [string, string, string, number])[],
): { judged: Judged[]; error?: string } {
  const input = {
    setup: `${SETUP}\nset +e\n${mutations.join('\n')}\ntrue\n`,
    listen: LISTEN,
    connect: questions,
    netns: NETNS,
  }
  const run = spawnSync('unshare', ['-m', '-n', 'python3', '-'], {
    input: program,
    env: { ...process.env, CASE: JSON.stringify(input) },
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    timeout: 60_000,
  })
  if (run.status !== 0 || !run.stdout) return { judged: [], error: run.stderr.slice(-500) || `status ${run.status}` }
  const out = JSON.parse(run.stdout) as { error?: string; dumps: Record<string, Dump>; met: Met[] }
  if (out.error) return { judged: [], error: out.error }
  const network = networkOf(out.dumps, PAIRS)
  const judged = questions.map((q, i): Judged => {
    const [from, protocol, to, port] = q
    const dst = parseIp(to)!
    const traces = traceConnection(network, {
      from,
      packet: {
        src: UNSPECIFIED[dst.family],
        dst,
        protocol: protocolNumber(protocol)!,
        sport: 0,
        dport: port,
        tcpFlags: 0,
        ttl: 64,
        dscp: 0,
        length: 60,
        dontFragment: true,
        mark: 0,
      },
    })
    const met = out.met[i] ?? { fate: 'timeout', seen: '' }
    return { question: q, met, traces, verdict: judge(traces, met) }
  })
  return { judged }
}

const word = (t: ConnectionTrace): string => {
  switch (t.disposition) {
    case 'delivered':
      return `open ${formatIp(t.forward.packet.src)}`
    case 'insufficient-info':
    case 'exits-network':
      return 'unknown'
    case 'no-listener':
    case 'rejected':
      return 'refused'
    default:
      return 'lost'
  }
}

/** What was met must be among the outcomes; a refusal and a loss are told apart for TCP without rules that reject. */
export function judge(traces: readonly ConnectionTrace[], met: Met): Judged['verdict'] {
  const words = traces.map(word)
  const wanted = met.fate === 'open' ? [`open ${met.seen}`] : met.fate === 'refused' ? ['refused'] : ['lost', 'refused']
  if (words.some((w) => wanted.includes(w))) return 'agree'
  return words.includes('unknown') ? 'unknown' : 'disagree'
}

export function round(seed: number): Round {
  const rand = random(seed).next
  const count = 1 + Math.floor(rand() * 4)
  const mutations = Array.from({ length: count }, () => mutation(rand))
  const questions = Array.from({ length: 10 }, () => question(rand))
  return { seed, mutations, ...playCase(mutations, questions) }
}

export function describeRound(r: Round, j: Judged): string {
  const lines = [
    `seed ${r.seed}: ${j.question.join(' ')}: kernel ${j.met.fate} ${j.met.seen}; netwhy ${j.traces.map(word).join(', ')}`,
  ]
  for (const m of r.mutations) lines.push(`  ${m}`)
  for (const t of j.traces.slice(0, 2))
    for (const [way, trace] of [
      ['→', t.forward],
      ['←', t.reply],
    ] as const)
      for (const h of trace?.hops ?? [])
        for (const s of h.steps)
          lines.push(`    ${way} ${h.netns} ${s.kind}: ${s.text}${s.cause ? ` (${s.cause})` : ''}`)
  return lines.join('\n')
}
