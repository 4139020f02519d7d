/** The question of `rules eval`: from options, or from a line of a queries file. */
import { type Ip, parseIp } from '../base/ip.ts'
import { protocolNumber } from '../base/protocol.ts'
import type { Query } from '../datapath/netfilter/evaluate.ts'
import type { CtState } from '../model/conntrack.ts'
import { UsageError } from './errors.ts'

export interface EvalOptions {
  readonly ruleset: readonly string[]
  readonly ipset?: readonly string[]
  readonly localIp?: readonly string[]
  readonly src?: string
  readonly dst?: string
  readonly protocol?: string
  readonly in?: string
  readonly out?: string
  readonly inAddress?: readonly string[]
  readonly outAddress?: readonly string[]
  readonly mark?: string
  readonly ttl?: string
  readonly dscp?: string
  readonly length?: string
  readonly ctstate?: string
  readonly queries?: string
  readonly output?: string
}

/** Keys that a line of a queries file may hold; those left out fall back to the command's options. */
const LINE_KEYS = new Set([
  'src',
  'dst',
  'protocol',
  'in',
  'out',
  'inAddress',
  'outAddress',
  'localIp',
  'ttl',
  'dscp',
  'length',
  'mark',
  'ctstate',
])

/** Reads one line of a queries file. `place` is FILE:LINE for the message when it is not one. */
export function queryOfLine(line: string, place: string, base: EvalOptions): Query {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch {
    throw new UsageError(`${place}: not JSON`)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new UsageError(`${place}: a query is a JSON object`)
  const given: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(parsed)) {
    if (!LINE_KEYS.has(key)) continue
    if (value === null) continue
    if (typeof value !== 'string' && typeof value !== 'number' && !isTexts(value))
      throw new UsageError(`${place}: "${key}" must be text or a number`)
    const list = key === 'inAddress' || key === 'outAddress' || key === 'localIp'
    given[key] = list ? (isTexts(value) ? value : [String(value)]) : isTexts(value) ? value.join(',') : String(value)
  }
  return queryOf({ ...base, ...given }, `${place}: `)
}

const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every((v) => typeof v === 'string')

/** Builds the question. Throws UsageError naming the option (or query key) that is wrong; `where` goes before it. */
export function queryOf(o: EvalOptions, where = ''): Query {
  const name = (option: string) => (where ? `${where}${option}` : `--${option}`)
  if (o.src === undefined) throw new UsageError(`${name('src')} is missing`)
  if (o.dst === undefined) throw new UsageError(`${name('dst')} is missing`)
  const src = endpoint(o.src, name('src'))
  const dst = endpoint(o.dst, name('dst'))
  if (src.ip.family !== dst.ip.family)
    throw new UsageError(`${name('src')} ${o.src} and ${name('dst')} ${o.dst} are of different address families`)
  const protocol = protocolNumber(o.protocol ?? 'tcp')
  if (protocol === null) throw new UsageError(`${name('protocol')} is not a protocol: ${quote(o.protocol)}`)
  const length = o.length === undefined ? undefined : number(o.length, name('length'), 65535)
  return {
    src: src.ip,
    dst: dst.ip,
    protocol: protocol === 1 && src.ip.family === 6 ? 58 : protocol,
    ...(src.port === null ? {} : { sport: src.port }),
    ...(dst.port === null ? {} : { dport: dst.port }),
    localIps: addresses(o.localIp, name('local-ip')),
    ...(o.in ? { in: o.in } : {}),
    ...(o.out ? { out: o.out } : {}),
    ...(o.inAddress ? { inAddresses: addresses(o.inAddress, name('in-address')) } : {}),
    ...(o.outAddress ? { outAddresses: addresses(o.outAddress, name('out-address')) } : {}),
    ttl: number(o.ttl ?? '64', name('ttl'), 255),
    dscp: number(o.dscp ?? '0', name('dscp'), 63),
    ...(length === undefined ? {} : { length }),
    mark: number(o.mark ?? '0', name('mark'), 0xffffffff),
    ...ctState(o.ctstate, name('ctstate')),
  }
}

const quote = (text: unknown) => JSON.stringify(String(text).slice(0, 80))

/** `IP`, `IP:PORT`, `[IP6]:PORT`. */
function endpoint(text: string, what: string): { ip: Ip; port: number | null } {
  const bare = parseIp(text)
  if (bare) return { ip: bare, port: null }
  const m = /^(?:\[([^\]]+)\]|([\d.]+))(?::(\d{1,5}))?$/.exec(text)
  const ip = m ? parseIp(m[1] ?? m[2] ?? '') : null
  const port = m?.[3] === undefined ? null : Number(m[3])
  if (!ip || (port !== null && port > 65535))
    throw new UsageError(`${what} is not an address with an optional port: ${quote(text)}`)
  return { ip, port }
}

function addresses(texts: readonly string[] | undefined, what: string): Ip[] {
  const out: Ip[] = []
  for (const text of texts ?? []) {
    for (const part of text.split(',')) {
      const word = part.trim()
      if (word === '') continue
      const ip = parseIp(word.replace(/\/\d+$/, ''))
      if (!ip) throw new UsageError(`${what} is not an address: ${quote(word)}`)
      out.push(ip)
    }
  }
  return out
}

function number(text: string, what: string, max: number): number {
  const n = /^(?:0x[0-9a-fA-F]{1,8}|\d{1,10})$/.test(text) ? Number(text) : Number.NaN
  if (!(n >= 0 && n <= max)) throw new UsageError(`${what} is not a number from 0 to ${max}: ${quote(text)}`)
  return n
}

function ctState(text: string | undefined, what: string): { ctState?: CtState } {
  const state = (text ?? 'new').toLowerCase()
  switch (state) {
    case 'new':
      return {}
    case 'established':
    case 'related':
    case 'invalid':
    case 'untracked':
      return { ctState: state }
    default:
      throw new UsageError(`${what} is not new, established, related, invalid or untracked: ${quote(text)}`)
  }
}
