/** Matches on header fields and addresses: iprange, length, ttl, hl, dscp, tos, ecn, mac, set, addrtype, rpfilter. */
import type { AddressType, Match } from '../../model/ruleset.ts'
import { type Extension, groupText, opaqueMatch, optionText } from './extension.ts'
import type { Option } from './options.ts'
import { addressRange, field, literal, u32, valueMask, within } from './values.ts'

/** Class names of RFC 2474, 2597 and 3246. */
export const DSCP_CLASSES: Readonly<Record<string, number>> = {
  CS0: 0,
  CS1: 8,
  CS2: 16,
  CS3: 24,
  CS4: 32,
  CS5: 40,
  CS6: 48,
  CS7: 56,
  BE: 0,
  AF11: 10,
  AF12: 12,
  AF13: 14,
  AF21: 18,
  AF22: 20,
  AF23: 22,
  AF31: 26,
  AF32: 28,
  AF33: 30,
  AF41: 34,
  AF42: 36,
  AF43: 38,
  EF: 46,
}
const ADDRESS_TYPES = new Set([
  'unspec',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
])

function hopLimit(o: Option, family: 4 | 6): Match {
  const n = u32(o.args[0] ?? '')
  const left = field(family === 4 ? 'ip.ttl' : 'ip6.hoplimit')
  const op = o.name.endsWith('-lt') ? 'lt' : o.name.endsWith('-gt') ? 'gt' : o.negate ? 'ne' : 'eq'
  return n === null ? opaqueMatch(optionText(o)) : { kind: 'compare', op, left, right: literal(n) }
}

/** Traffic class as the tos match sees it: DSCP and ECN together, in both families. */
function tosByte(family: 4 | 6) {
  const f = family === 4 ? 'ip' : 'ip6'
  const shifted = { kind: 'bitwise', op: 'shl', left: field(`${f}.dscp`), right: literal(2) } as const
  return { kind: 'bitwise', op: 'or', left: shifted, right: field(`${f}.ecn`) } as const
}

export const headerMatches: Readonly<Record<string, Extension>> = {
  iprange: (group, { family }) =>
    group.options.map((o): Match => {
      const range = addressRange(o.args[0] ?? '', family)
      if (!range || (o.name !== '--src-range' && o.name !== '--dst-range')) return opaqueMatch(optionText(o))
      return { kind: 'addressRange', side: o.name === '--src-range' ? 'src' : 'dst', ...range, negate: o.negate }
    }),
  length: (group) =>
    group.options.map((o) => {
      const m = /^(\d*)(:?)(\d*)$/.exec(o.args[0] ?? '')
      if (o.name !== '--length' || !m) return opaqueMatch(optionText(o))
      const from = Number(m[1] || 0)
      const to = m[2] ? Number(m[3] || 65535) : from
      return within('meta.length', from, to, o.negate)
    }),
  ttl: (group, { family }) => group.options.map((o) => hopLimit(o, family)),
  hl: (group, { family }) => group.options.map((o) => hopLimit(o, family)),
  dscp: (group, { family }) =>
    group.options.map((o) => {
      const n = o.name === '--dscp-class' ? DSCP_CLASSES[(o.args[0] ?? '').toUpperCase()] : u32(o.args[0] ?? '')
      return n === undefined || n === null || n > 63
        ? opaqueMatch(optionText(o))
        : within(family === 4 ? 'ip.dscp' : 'ip6.dscp', n, n, o.negate)
    }),
  tos: (group, { family }) =>
    group.options.map((o): Match => {
      const vm = valueMask(o.args[0] ?? '')
      if (o.name !== '--tos' || !vm) return opaqueMatch(optionText(o))
      const left = { kind: 'bitwise', op: 'and', left: tosByte(family), right: literal(vm.mask & 255) } as const
      return { kind: 'compare', op: o.negate ? 'ne' : 'eq', left, right: literal(vm.value) }
    }),
  ecn: (group, { family }) =>
    group.options.map((o): Match => {
      if (o.name === '--ecn-ip-ect')
        return within(family === 4 ? 'ip.ecn' : 'ip6.ecn', Number(o.args[0]), Number(o.args[0]), o.negate)
      if (o.name === '--ecn-tcp-ece') return { kind: 'tcpFlags', mask: 64, comp: 64, negate: o.negate }
      if (o.name === '--ecn-tcp-cwr') return { kind: 'tcpFlags', mask: 128, comp: 128, negate: o.negate }
      return opaqueMatch(optionText(o))
    }),
  mac: (group) =>
    group.options.map(
      (o): Match =>
        o.name === '--mac-source' && o.args[0]
          ? {
              kind: 'compare',
              op: o.negate ? 'ne' : 'eq',
              left: field('ether.saddr'),
              right: literal(o.args[0].toLowerCase()),
            }
          : opaqueMatch(optionText(o)),
    ),
  set: (group) => {
    const o = group.options.find((x) => x.name === '--match-set')
    const quiet = new Set(['--match-set', '--return-nomatch', '--update-counters', '--update-subcounters'])
    const dirs = (o?.args[1] ?? '').split(',')
    if (!o?.args[0] || group.options.some((x) => !quiet.has(x.name)) || dirs.some((d) => d !== 'src' && d !== 'dst'))
      return [opaqueMatch(groupText(group))]
    if (group.options.some((x) => x.name === '--return-nomatch')) return [opaqueMatch(groupText(group))]
    return [
      { kind: 'ipset', name: o.args[0], dirs: dirs as ('src' | 'dst')[], negate: o.negate, text: groupText(group) },
    ]
  },
  addrtype: (group) => {
    const limit = group.options.some((o) => o.name === '--limit-iface-in')
      ? 'in'
      : group.options.some((o) => o.name === '--limit-iface-out')
        ? 'out'
        : null
    return group.options
      .filter((o) => !o.name.startsWith('--limit-iface'))
      .map((o): Match => {
        const types = (o.args[0] ?? '').toLowerCase().split(',')
        if ((o.name !== '--src-type' && o.name !== '--dst-type') || types.some((t) => !ADDRESS_TYPES.has(t)))
          return opaqueMatch(optionText(o))
        return {
          kind: 'addressType',
          side: o.name === '--src-type' ? 'src' : 'dst',
          types: types as AddressType[],
          limit,
          negate: o.negate,
        }
      })
  },
  rpfilter: (group) => {
    const has = (name: string) => group.options.some((o) => o.name === name)
    return [
      {
        kind: 'rpfilter',
        loose: has('--loose'),
        validmark: has('--validmark'),
        acceptLocal: has('--accept-local'),
        invert: has('--invert'),
      },
    ]
  },
}
