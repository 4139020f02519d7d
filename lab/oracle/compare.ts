/** Holds a prediction against the kernel's result. */
import { type Ip, ipEquals, parseIp } from '../../src/base/ip.ts'
import { hasPorts } from '../../src/base/protocol.ts'
import type { KernelResult } from './kernel-run.ts'

/** One predicted outcome, in the kernel result's terms. */
export interface Prediction {
  readonly probability: number
  readonly verdict: 'accept' | 'drop' | 'reject' | 'unknown'
  readonly local: boolean
  readonly src: Ip
  readonly dst: Ip
  readonly sport: number
  readonly dport: number
  /** Per ruleset: lines said to be hit. */
  readonly hits: readonly ReadonlySet<number>[]
  /** Lines said to be hit or not, the outcome being the same. */
  readonly perhaps: readonly ReadonlySet<number>[]
  /** A range or random port choice: the kernel may pick another port than ours. */
  readonly freeSourcePort: boolean
  readonly freeDestinationPort: boolean
}

export type Judgement =
  | { readonly kind: 'agree' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'disagree'; readonly why: string }

const lines = (sets: readonly ReadonlySet<number>[]) =>
  sets
    .map((s, i) =>
      [...s]
        .sort((a, b) => a - b)
        .map((l) => `r${i}:${l}`)
        .join(' '),
    )
    .join(' ')

/** Why this prediction is not what the kernel did; null when it is. */
function mismatch(p: Prediction, k: KernelResult): string | null {
  const fate = p.verdict === 'accept' ? (p.local ? 'local' : 'accept') : p.verdict
  if (fate !== k.fate) return `says ${fate}, kernel ${k.fate}${k.answer ? ` (${k.answer})` : ''}`
  if (k.seen) {
    if (!ipEquals(p.dst, parseIp(k.seen.dst)!)) return `says dst ${JSON.stringify(p.dst)}, kernel ${k.seen.dst}`
    if (!ipEquals(p.src, parseIp(k.seen.src)!)) return `says src ${JSON.stringify(p.src)}, kernel ${k.seen.src}`
    if (hasPorts(k.seen.protocol)) {
      if (!p.freeDestinationPort && p.dport !== k.seen.dport) return `says dport ${p.dport}, kernel ${k.seen.dport}`
      if (!p.freeSourcePort && p.sport !== k.seen.sport) return `says sport ${p.sport}, kernel ${k.seen.sport}`
    }
  }
  const counts = (i: number, l: number) => p.hits[i]!.has(l) || !(p.perhaps[i]!.has(l) || k.countedEarly[i]!.has(l))
  const theirs = lines(k.hits.map((set, i) => new Set([...set].filter((l) => counts(i, l)))))
  const ours = lines(p.hits)
  return ours === theirs ? null : `says hit ${ours || 'none'}, kernel ${theirs || 'none'}`
}

/** Agreement means: the kernel's result is among the outcomes we give a chance. */
export function judge(predictions: readonly Prediction[], kernel: KernelResult): Judgement {
  const total = predictions.reduce((sum, p) => sum + p.probability, 0)
  if (predictions.length === 0 || Math.abs(total - 1) > 1e-6)
    return { kind: 'disagree', why: `probabilities add up to ${total}` }
  const decided = predictions.filter((p) => p.verdict !== 'unknown')
  const reasons = decided.map((p) => mismatch(p, kernel))
  if (reasons.includes(null)) return { kind: 'agree' }
  if (decided.length < predictions.length) return { kind: 'unknown' }
  return { kind: 'disagree', why: [...new Set(reasons)].slice(0, 3).join(' | ') }
}
