/** Targets: verdicts, jumps, and the extensions that change or answer a packet (iptables-extensions(8), TARGET EXTENSIONS). */
import type { RejectWith, Statement } from '../../model/ruleset.ts'
import { optionText, type RuleContext } from './extension.ts'
import { DSCP_CLASSES } from './match-header.ts'
import type { Group } from './options.ts'
import { natTarget } from './target-nat.ts'
import { addressMask, field, literal, port, u32, valueMask } from './values.ts'

/** Log, copy, account or annotate: none of them decides what becomes of the packet. */
const NOTES = new Set([
  'LOG',
  'NFLOG',
  'ULOG',
  'TRACE',
  'AUDIT',
  'TEE',
  'CHECKSUM',
  'IDLETIMER',
  'LED',
  'SECMARK',
  'CONNSECMARK',
  'RATEEST',
  'CLASSIFY',
  'ACCOUNT',
])
const REJECTS: Readonly<Record<string, RejectWith>> = {
  'icmp-port-unreachable': 'port-unreachable',
  'icmp-host-unreachable': 'host-unreachable',
  'icmp-net-unreachable': 'net-unreachable',
  'icmp-proto-unreachable': 'proto-unreachable',
  'icmp-net-prohibited': 'net-prohibited',
  'icmp-host-prohibited': 'host-prohibited',
  'icmp-admin-prohibited': 'admin-prohibited',
  'tcp-reset': 'tcp-reset',
  'tcp-rst': 'tcp-reset',
  'icmp6-no-route': 'no-route',
  'no-route': 'no-route',
  'icmp6-adm-prohibited': 'admin-prohibited',
  'adm-prohibited': 'admin-prohibited',
  'icmp6-addr-unreachable': 'addr-unreachable',
  'addr-unreach': 'addr-unreachable',
  'icmp6-port-unreachable': 'port-unreachable',
  'port-unreach': 'port-unreachable',
  'icmp6-policy-fail': 'policy-fail',
  'policy-fail': 'policy-fail',
  'icmp6-reject-route': 'reject-route',
  'reject-route': 'reject-route',
}

const opaque = (t: Group): Statement => ({
  kind: 'opaque',
  what: 'statement',
  text: [`-j ${t.name}`, ...t.options.map(optionText)].join(' '),
})
const note = (what: string): Statement => ({ kind: 'note', what })

/** What the rule does when all matches matched. A rule without a target only counts. */
export function targetStatements(target: Group | null, goto: boolean, ctx: RuleContext): Statement[] {
  if (!target || target.name === '') return [note('no target')]
  if (goto && ctx.hasChain(target.name)) return [{ kind: 'verdict', verdict: { kind: 'goto', chain: target.name } }]
  const arg = (name: string) => target.options.find((o) => o.name === name)?.args[0]
  switch (target.name) {
    case 'ACCEPT':
    case 'DROP':
    case 'RETURN':
      return [{ kind: 'verdict', verdict: { kind: target.name.toLowerCase() as 'accept' | 'drop' | 'return' } }]
    case 'QUEUE':
      return [{ kind: 'verdict', verdict: { kind: 'queue' } }]
    case 'NFQUEUE':
      return target.options.some((o) => o.name === '--queue-bypass')
        ? [opaque(target)]
        : [{ kind: 'verdict', verdict: { kind: 'queue' } }]
    case 'REJECT': {
      const kind = arg('--reject-with')
      const reject = kind === undefined ? 'port-unreachable' : REJECTS[kind]
      return reject ? [{ kind: 'reject', with: reject }] : [opaque(target)]
    }
    case 'MARK':
    case 'CONNMARK':
      return [markTarget(target) ?? opaque(target)]
    case 'NOTRACK':
      return [{ kind: 'notrack' }]
    case 'CT': {
      const zone = u32(arg('--zone') ?? '')
      if (target.options.some((o) => o.name === '--notrack')) return [{ kind: 'notrack' }]
      if (arg('--zone') !== undefined || arg('--zone-orig') !== undefined || arg('--zone-reply') !== undefined)
        return zone === null ? [opaque(target)] : [{ kind: 'ctZone', zone }]
      return [note('CT')]
    }
    case 'TTL':
    case 'HL': {
      const o = target.options[0]
      const op = o && ({ set: 'set', inc: 'inc', dec: 'dec' } as const)[o.name.slice(-3) as 'set' | 'inc' | 'dec']
      const value = u32(o?.args[0] ?? '')
      return op && value !== null ? [{ kind: 'ttl', op, value }] : [opaque(target)]
    }
    case 'DSCP': {
      const value =
        arg('--set-dscp-class') === undefined
          ? u32(arg('--set-dscp') ?? '')
          : DSCP_CLASSES[arg('--set-dscp-class')!.toUpperCase()]
      return typeof value === 'number' ? [{ kind: 'dscp', value }] : [opaque(target)]
    }
    case 'TOS':
      return tosTarget(target, ctx) ?? [opaque(target)]
    case 'TCPMSS': {
      if (target.options.some((o) => o.name === '--clamp-mss-to-pmtu')) return [{ kind: 'mss', size: null }]
      const size = u32(arg('--set-mss') ?? '')
      return size === null ? [opaque(target)] : [{ kind: 'mss', size }]
    }
    case 'TPROXY': {
      const vm = valueMask(arg('--tproxy-mark') ?? '0/0')
      const onPort = port(arg('--on-port') ?? '')
      const address = addressMask(arg('--on-ip') ?? '', ctx.family)?.addr ?? null
      return vm && onPort !== null
        ? [{ kind: 'tproxy', address, port: onPort, markValue: vm.value, markMask: vm.mask }]
        : [opaque(target)]
    }
    case 'SET': {
      const o = target.options.find((x) => x.name === '--add-set' || x.name === '--del-set')
      return o?.args[0]
        ? [{ kind: 'setUpdate', op: o.name === '--add-set' ? 'add' : 'delete', set: o.args[0], text: optionText(o) }]
        : [opaque(target)]
    }
    case 'DNAT':
    case 'SNAT':
    case 'MASQUERADE':
    case 'REDIRECT':
    case 'NETMAP':
      return [natTarget(target, ctx) ?? opaque(target)]
    default:
      if (ctx.hasChain(target.name)) return [{ kind: 'verdict', verdict: { kind: 'jump', chain: target.name } }]
      return [NOTES.has(target.name) ? note(target.name) : opaque(target)]
  }
}

/** MARK and CONNMARK (net/netfilter/xt_mark.c, xt_connmark.c): new = (old & ~mask) ^ value. */
function markTarget(target: Group): Statement | null {
  const of = target.name === 'MARK' ? 'packet' : 'connection'
  const o = target.options[0]
  const vm = valueMask(o?.args[0] ?? '')
  const set = (value: number, mask: number): Statement => ({
    kind: 'setMark',
    of,
    value: value >>> 0,
    mask: mask >>> 0,
  })
  switch (o?.name) {
    case '--set-xmark':
      return vm && set(vm.value, vm.mask)
    case '--set-mark':
      return vm && set(vm.value, vm.mask | vm.value)
    case '--and-mark':
      return vm && set(0, ~vm.value)
    case '--or-mark':
      return vm && set(vm.value, vm.value)
    case '--xor-mark':
      return vm && set(vm.value, 0)
    case '--save-mark':
    case '--restore-mark': {
      const mask = (name: string) => {
        const given = target.options.find((x) => x.name === name) ?? target.options.find((x) => x.name === '--mask')
        return given ? u32(given.args[0] ?? '') : 0xffffffff
      }
      const [nf, ct] = [mask('--nfmask'), mask('--ctmask')]
      if (nf === null || ct === null) return null
      return o.name === '--save-mark'
        ? { kind: 'copyMark', to: 'connection', fromMask: nf, toMask: ct }
        : { kind: 'copyMark', to: 'packet', fromMask: ct, toMask: nf }
    }
    default:
      return null
  }
}

/** TOS (net/netfilter/xt_DSCP.c): new = (old & ~mask) ^ value, on the whole byte; written as its DSCP and ECN parts. */
function tosTarget(target: Group, ctx: RuleContext): Statement[] | null {
  const o = target.options[0]
  const vm = valueMask(o?.args[0] ?? '')
  if (!o || !vm) return null
  const full = o.args[0]!.includes('/')
  const at: Readonly<Record<string, readonly [number, number]>> = {
    '--set-tos': full ? [vm.value, vm.mask] : [vm.value, 0xff],
    '--and-tos': [0, ~vm.value],
    '--or-tos': [vm.value, vm.value],
    '--xor-tos': [vm.value, 0],
  }
  const change = at[o.name]
  if (!change) return null
  const [value, mask] = [change[0] & 255, change[1] & 255]
  const f = ctx.family === 4 ? 'ip' : 'ip6'
  const part = (name: 'dscp' | 'ecn', v: number, keep: number): Statement => {
    const kept = { kind: 'bitwise', op: 'and', left: field(`${f}.${name}`), right: literal(keep) } as const
    return { kind: 'set', field: `${f}.${name}`, value: { kind: 'bitwise', op: 'xor', left: kept, right: literal(v) } }
  }
  const out: Statement[] = []
  if ((value | mask) >> 2) out.push(part('dscp', value >> 2, ~(mask >> 2) & 63))
  if ((value | mask) & 3) out.push(part('ecn', value & 3, ~mask & 3))
  return out
}
