/** The path of one branch like a metro line: a stop per netns, a line per step that mattered, ✗ where it ended. */
import type { ConnectionTrace, Hop, PacketTrace, Step } from '../model/trace.ts'
import { clean } from './clean.ts'
import { netnsName, packetText } from './packet-text.ts'
import { type Style, wrap } from './style.ts'

export interface PathOptions {
  readonly style: Style
  readonly width: number
  /** Every step and every rule; otherwise what a reader of the story needs. */
  readonly wide: boolean
}

/** Steps a reader can do without: nothing was decided or rewritten there. */
function boring(step: Step, before: Step | undefined): boolean {
  if (step.verdict === 'drop' || step.verdict === 'reject' || step.verdict === 'unknown') return false
  switch (step.kind) {
    case 'send':
    case 'route':
    case 'encap':
    case 'decap':
    case 'wire':
    case 'deliver':
    case 'ipvs':
    case 'policy':
    case 'socket':
      return false
    case 'netfilter':
    case 'conntrack':
      return !before || packetText(step.packet) === packetText(before.packet)
    case 'receive':
    case 'bridge':
    case 'neighbour':
    case 'filter':
    case 'tc':
      return true
  }
}

/** Without the packet and byte counters iptables-save -c puts before a rule. */
export function withoutCounters(rule: string): string {
  return rule.replace(/^\[\d+:\d+\]\s*/, '')
}

function hopTitle(hop: Hop): string {
  const name = netnsName(hop)
  if (name === 'host') return hop.node
  return `${name.replace(/^pod\//, 'pod ')}${hop.node === '' ? '' : ` (on ${hop.node})`}`
}

function stepLines(step: Step, ended: boolean, before: Step | undefined, o: PathOptions): string[] {
  const bad = step.verdict === 'drop' || step.verdict === 'reject'
  const mark = bad || ended ? o.style.red('✗') : step.verdict === 'unknown' ? o.style.yellow('?') : '│'
  const words = step.hook && step.kind === 'netfilter' ? step.hook : step.kind
  const text = step.text.startsWith(`${words}: `) ? step.text.slice(words.length + 2) : step.text
  const lines = wrap(clean(text), o.width, ` ${mark}  ${words.padEnd(12)}`, ' │              ')
  const rewritten = packetText(before?.packet ?? step.packet) !== packetText(step.packet)
  if (rewritten || (o.wide && before === undefined))
    lines.push(...wrap(packetText(step.packet), o.width, ' │              ', ' │              '))
  if (o.wide || bad || ended) {
    if (step.rule && !step.text.includes(step.rule))
      lines.push(...wrap(clean(withoutCounters(step.rule)), o.width, ' │              ', ' │                '))
    const deciding = step.rule === undefined ? [] : step.evidence.filter((e) => e.text === step.rule)
    const proof = o.wide || deciding.length === 0 ? step.evidence : deciding
    for (const e of proof.slice(0, o.wide ? 20 : 1))
      lines.push(o.style.dim(` │              ${clean(e.artefact)}${e.line === undefined ? '' : `:${e.line}`}`))
  }
  return lines
}

function traceLines(trace: PacketTrace, ok: boolean, o: PathOptions): string[] {
  const lines: string[] = []
  let before: Step | undefined
  const last = trace.hops.at(-1)?.steps.at(-1)
  for (const hop of trace.hops) {
    lines.push(` ${o.style.bold('●')} ${o.style.bold(hopTitle(hop))}`)
    let folded = 0
    for (const step of hop.steps) {
      const ended = step === last && !ok
      if (!o.wide && !ended && boring(step, before)) folded++
      else lines.push(...stepLines(step, ended, before, o))
      before = step
    }
    if (folded > 0 && folded === hop.steps.length)
      lines.push(o.style.dim(` │  ${folded} step${folded > 1 ? 's' : ''} passed`))
  }
  if (ok) lines.push(` ${o.style.green('✓')}`)
  for (const u of trace.unknowns.slice(0, o.wide ? 50 : 5))
    lines.push(...wrap(`not known: ${clean(u)}`, o.width, '   ', '     '))
  return lines
}

/** Request and, when the request arrived, reply of one branch. */
export function branchLines(branch: ConnectionTrace, o: PathOptions): string[] {
  const forwardOk = branch.forward.disposition === 'delivered'
  const lines = ['Request', ...traceLines(branch.forward, forwardOk, o)]
  if (branch.reply) {
    const ok = branch.reply.disposition === 'delivered'
    if (ok && !o.wide) lines.push(`Reply     comes back as ${packetText(branch.reply.packet)}`)
    else lines.push('Reply', ...traceLines(branch.reply, ok, o))
  }
  return lines
}
