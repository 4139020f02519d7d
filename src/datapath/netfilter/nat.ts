/** Address translation: what NAT statements decide, and when they are asked (net/netfilter/nf_nat_core.c, Linux 6.18). */
import { formatEndpoint, type Ip, isLinkLocal, isUnspecified } from '../../base/ip.ts'
import { hasPorts } from '../../base/protocol.ts'
import type { Hook, Statement, Value } from '../../model/ruleset.ts'
import { withTranslated } from '../conntrack/entry.ts'
import { type Manip, translate } from '../conntrack/translate.ts'
import { invert } from '../conntrack/tuple.ts'
import { type NatRange, uniqueTuple } from '../conntrack/unique-tuple.ts'
import { evaluate } from './expression.ts'
import { type Certain, type Got, isIp, isSpecial } from './got.ts'
import type { LinkView } from './types.ts'
import type { Place, Run, Walk } from './walk.ts'

export type NatStatement = Extract<Statement, { kind: 'nat' | 'masquerade' | 'redirect' | 'netmap' }>

/** HOOK2MANIP. */
export function manipOf(hook: Hook): Manip {
  return hook === 'postrouting' || hook === 'input' ? 'src' : 'dst'
}

/** What a NAT statement asks for: a range, the packet's end, a rule that ends without effect, or something we cannot tell. */
export type Wanted =
  | { readonly kind: 'range'; readonly range: NatRange; readonly masquerade: boolean; readonly effect: string }
  | { readonly kind: 'drop' }
  | { readonly kind: 'accept' }
  | { readonly kind: 'break' }
  | { readonly kind: 'unknown'; readonly why: string }

/** All that the statement may ask for, with probabilities that add up to 1. */
export function wanted(
  run: Run,
  walk: Walk,
  place: Place,
  s: NatStatement,
): readonly { readonly probability: number; readonly wanted: Wanted }[] {
  switch (s.kind) {
    case 'netmap':
      return [{ probability: 1, wanted: netmap(walk, s) }]
    case 'masquerade':
      return each(portGot(run, walk, place, s.port), (port) => masquerade(run, walk, s.random, port))
    case 'redirect':
      return each(portGot(run, walk, place, s.port), (port) => redirect(run, walk, s.random, port))
    case 'nat':
      return natWanted(run, walk, place, s)
  }
}

type Port = NatRange['port']

function each(got: Got, f: (port: Port) => Wanted): { probability: number; wanted: Wanted }[] {
  const one = (certain: Certain): Wanted => {
    if (isSpecial(certain)) {
      if (certain.kind === 'break') return { kind: 'break' }
      if (certain.kind === 'span') return f(portSpan(certain.parts[certain.parts.length - 1]!))
      return { kind: 'unknown', why: 'why' in certain ? certain.why : 'a range of values' }
    }
    const value = Array.isArray(certain) ? certain[certain.length - 1] : certain
    return f(typeof value === 'number' && value >= 0 ? { from: value, to: value } : null)
  }
  if (isSpecial(got) && got.kind === 'choice')
    return got.options.map((o) => ({ probability: o.probability, wanted: one(o.got) }))
  return [{ probability: 1, wanted: one(got as Certain) }]
}

function portSpan(span: { readonly from: Value; readonly to: Value }): Port {
  return typeof span.from === 'number' && typeof span.to === 'number' ? { from: span.from, to: span.to } : null
}

type PortOption = Extract<NatStatement, { kind: 'nat' }>['port']

/** A port option as a value: −1 stands for none. */
function portGot(run: Run, walk: Walk, place: Place, port: PortOption): Got {
  if (port === null) return -1
  if (port.kind === 'range') return { kind: 'span', parts: [{ from: port.from, to: port.to }] }
  return evaluate(run, walk, place, port.expr)
}

function natWanted(run: Run, walk: Walk, place: Place, s: Extract<NatStatement, { kind: 'nat' }>) {
  const flags = { random: s.random, persistent: s.persistent }
  const make = (address: NatRange['address'], port: Port): Wanted => {
    if (address && address.from.family !== run.family) return { kind: 'break' }
    return {
      kind: 'range',
      range: { address, port, ...flags },
      masquerade: false,
      effect: `${s.type} ${describe(address, port)}`,
    }
  }
  const { address } = s
  if (address === null) return each(portGot(run, walk, place, s.port), (port) => make(null, port))
  if (address.kind === 'range')
    return each(portGot(run, walk, place, s.port), (port) => make({ from: address.from, to: address.to }, port))
  const together = s.port?.kind === 'expr' && s.port.expr === address.expr
  const got = evaluate(run, walk, place, address.expr)
  const out: { probability: number; wanted: Wanted }[] = []
  const options = isSpecial(got) && got.kind === 'choice' ? got.options : [{ probability: 1, got: got as Certain }]
  for (const option of options) {
    const parsed = addressOf(option.got)
    if ('kind' in parsed) {
      out.push({ probability: option.probability, wanted: parsed })
      continue
    }
    const own = parsed.port
    const ports: Got = own ? { kind: 'span', parts: [own] } : together ? -1 : portGot(run, walk, place, s.port)
    for (const inner of each(ports, (port) => make(parsed.address, port)))
      out.push({ probability: option.probability * inner.probability, wanted: inner.wanted })
  }
  return out
}

/** An address, or an address and a port, that an expression yielded. */
function addressOf(
  got: Certain,
): Wanted | { readonly address: { from: Ip; to: Ip }; readonly port: { from: number; to: number } | null } {
  if (isSpecial(got) && got.kind !== 'span')
    return got.kind === 'break' ? { kind: 'break' } : { kind: 'unknown', why: got.why }
  const parts = isSpecial(got)
    ? got.parts
    : (Array.isArray(got) ? (got as readonly Value[]) : [got as Value]).map((v) => ({ from: v, to: v }))
  const [ip, port] = parts
  if (!ip || !isIp(ip.from) || !isIp(ip.to))
    return { kind: 'unknown', why: 'a translation to something that is no address' }
  const range = port ? portSpan(port) : null
  return { address: { from: ip.from, to: ip.to }, port: range }
}

function describe(address: NatRange['address'], port: Port): string {
  const last = port ? (port.from === port.to ? `${port.from}` : `${port.from}-${port.to}`) : ''
  if (address === null) return last ? `:${last}` : 'nothing'
  const one = address.from === address.to || formatEndpoint(address.from) === formatEndpoint(address.to)
  if (one && port && port.from === port.to) return formatEndpoint(address.from, port.from)
  const text = one ? formatEndpoint(address.from) : `${formatEndpoint(address.from)}-${formatEndpoint(address.to)}`
  return last ? `${text} port ${last}` : text
}

/** nf_nat_masquerade_ipv4: packets without a source address pass. */
function masquerade(run: Run, walk: Walk, random: boolean, port: Port): Wanted {
  if (isUnspecified(walk.packet.src)) return { kind: 'accept' }
  const out = run.out
  const ip = out === null ? null : run.around.masqueradeAddress(out, walk.packet.dst)
  const address = ip ? { from: ip, to: ip } : null
  const effect = ip ? `masquerade as ${describe(address, port)}` : 'masquerade'
  return { kind: 'range', range: { address, port, random, persistent: false }, masquerade: true, effect }
}

/** nf_nat_redirect: to this machine, in output its loopback address, else the first address of the in link. */
function redirect(run: Run, walk: Walk, random: boolean, port: Port): Wanted {
  const done = (ip: Ip): Wanted => {
    const address = { from: ip, to: ip }
    const range = { address, port, random, persistent: false }
    return { kind: 'range', range, masquerade: false, effect: `redirect to ${describe(address, port)}` }
  }
  if (run.hook === 'output')
    return done(
      run.family === 4 ? { family: 4, a: 0, b: 0, c: 0, d: 0x7f000001 } : { family: 6, a: 0, b: 0, c: 0, d: 1 },
    )
  if (run.in === null || (run.in.unknown && run.in.addresses.length === 0))
    return { kind: 'unknown', why: 'the address of the in link, which a redirect takes, is not known' }
  const ip = redirectAddress(run.in, walk.packet.dst)
  if (ip) return done(ip)
  // nf_nat_redirect_ipv4 drops when the link has no address; a list we were not given is something else.
  return { kind: 'unknown', why: `the addresses of ${run.in.name}, of which a redirect takes the first, are not known` }
}

function redirectAddress(link: LinkView, dst: Ip): Ip | null {
  const own = link.addresses.filter((a) => a.family === dst.family)
  if (dst.family === 4) return own[0] ?? null
  return own.find((a) => isLinkLocal(a) === isLinkLocal(dst)) ?? own[0] ?? null
}

function netmap(walk: Walk, s: Extract<NatStatement, { kind: 'netmap' }>): Wanted {
  const old = s.type === 'snat' ? walk.packet.src : walk.packet.dst
  if (old.family !== s.addr.family) return { kind: 'break' }
  const mix = (to: number, mask: number, own: number) => ((to & mask) | (own & ~mask)) >>> 0
  const ip: Ip = {
    family: old.family,
    a: mix(s.addr.a, s.mask.a, old.a),
    b: mix(s.addr.b, s.mask.b, old.b),
    c: mix(s.addr.c, s.mask.c, old.c),
    d: mix(s.addr.d, s.mask.d, old.d),
  }
  const address = { from: ip, to: ip }
  const range = { address, port: null, random: false, persistent: false }
  return { kind: 'range', range, masquerade: false, effect: `${s.type} ${describe(address, null)}` }
}

const NO_RANGE: NatRange = { address: null, port: null, random: false, persistent: false }

/** nf_nat_setup_info: settles one side of the connection. A null range is the null binding, which only avoids clashes. */
export function settle(run: Run, walk: Walk, range: NatRange | null): void {
  const c = walk.connection
  if (c === null) return
  const manip = manipOf(run.hook)
  const current = invert(c.entry.reply)
  const { tuple, drawn } = uniqueTuple(current, manip, range ?? NO_RANGE, run.conntrack, c.entry.zone)
  const entry = tuple === current ? c.entry : withTranslated(c.entry, tuple)
  if (drawn) {
    const ports = walk.memory.drawn
    walk.memory = { ...walk.memory, drawn: manip === 'src' ? { ...ports, sport: true } : { ...ports, dport: true } }
  }
  walk.connection = { ...c, entry, settled: { ...c.settled, [manip]: true } }
}

/** nf_nat_packet: rewrites the packet as its connection says. */
export function applyTranslation(run: Run, walk: Walk): void {
  const c = walk.connection
  if (c === null) return
  if (
    !hasPorts(walk.packet.protocol) &&
    walk.packet.icmp === undefined &&
    c.entry.original.protocol !== walk.packet.protocol
  )
    return
  walk.packet = translate(walk.packet, c.entry, c.direction, manipOf(run.hook))
}
