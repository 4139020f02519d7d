/** `RulesetAnswer` of CONTRACT: outcomes of `rules eval` as JSON or text. */
import { formatEndpoint, type Ip } from '../base/ip.ts'
import { hasPorts } from '../base/protocol.ts'
import type { Outcome } from '../datapath/netfilter/evaluate.ts'
import type { RuleHit } from '../datapath/netfilter/types.ts'

export interface RulesetAnswer {
  readonly kind: 'RulesetAnswer'
  readonly outcomes: readonly OutcomeJson[]
}

interface OutcomeJson {
  readonly probability: number
  readonly verdict: string
  readonly src: string
  readonly dst: string
  readonly translated: boolean
  readonly masquerade: boolean
  readonly mark: number
  readonly rules: readonly RuleJson[]
  readonly rejectWith?: string
  readonly decided?: RuleJson
  readonly unknowns?: readonly string[]
}

interface RuleJson {
  readonly table: string
  readonly chain: string
  readonly line: number
  readonly text: string
  readonly family: string
  readonly hook: string
  readonly effect: string
  /** Given when several rulesets were: whose line it is. */
  readonly file?: string
  readonly uncertain?: true
}

/** Puts outcomes into the CONTRACT's shape. `manyFiles`: rules also name their file. */
export function answerOf(outcomes: readonly Outcome[], manyFiles: boolean): RulesetAnswer {
  return {
    kind: 'RulesetAnswer',
    outcomes: outcomes.map((o) => ({
      probability: o.probability,
      verdict: o.verdict,
      src: side(o, o.packet.src, o.packet.sport),
      dst: side(o, o.packet.dst, o.packet.dport),
      translated: o.translated,
      masquerade: o.masquerade,
      mark: o.packet.mark,
      rules: o.rules.map((r) => ruleOf(r, manyFiles)),
      ...(o.rejectWith ? { rejectWith: o.rejectWith } : {}),
      ...(o.decided ? { decided: ruleOf(o.decided, manyFiles) } : {}),
      ...(o.unknowns.length ? { unknowns: o.unknowns } : {}),
    })),
  }
}

function side(o: Outcome, ip: Ip, port: number): string {
  return formatEndpoint(ip, hasPorts(o.packet.protocol) && port >= 0 ? port : undefined)
}

function ruleOf(r: RuleHit, manyFiles: boolean): RuleJson {
  return {
    table: r.table,
    chain: r.chain,
    line: r.line,
    text: r.text,
    family: r.family,
    hook: r.hook,
    effect: r.effect,
    ...(manyFiles ? { file: r.ruleset.artefact } : {}),
    ...(r.uncertain ? { uncertain: true } : {}),
  }
}

/** Control characters of hostile rulesets must not reach a terminal. */
const printable = (text: string) =>
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)

/** The answer for people: each outcome, then its rules in order. */
export function answerText(answer: RulesetAnswer): string {
  const lines: string[] = []
  for (const o of answer.outcomes) {
    const share = answer.outcomes.length > 1 ? `${Math.round(o.probability * 1000) / 10}% ` : ''
    const mark = o.mark ? `, mark 0x${o.mark.toString(16)}` : ''
    const how = o.rejectWith ? ` with ${o.rejectWith}` : ''
    lines.push(`${share}${o.verdict}${how}: ${o.src} -> ${o.dst}${o.masquerade ? ', masqueraded' : ''}${mark}`)
    for (const r of o.rules)
      lines.push(
        printable(
          `  ${r.hook.padEnd(11)} ${r.table} ${r.chain}:${r.line}  ${r.text}  (${r.effect})${r.uncertain ? ' ?' : ''}`,
        ),
      )
    if (o.decided && !o.rules.some((r) => r.line === o.decided?.line && r.chain === o.decided.chain))
      lines.push(
        printable(
          `  ${o.decided.hook.padEnd(11)} ${o.decided.table} ${o.decided.chain}:${o.decided.line}  ${o.decided.text}`,
        ),
      )
    for (const why of o.unknowns ?? []) lines.push(printable(`  not known: ${why}`))
  }
  return `${lines.join('\n')}\n`
}
