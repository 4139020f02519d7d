/** Matches on what surrounds the packet: marks, links below a bridge, socket owner, chance, history. */
import type { Match } from '../../model/ruleset.ts'
import { type Extension, groupText, opaqueMatch, optionText } from './extension.ts'
import type { Option } from './options.ts'
import { field, literal, u32, valueMask, within } from './values.ts'

function mark(of: 'packet' | 'connection'): Extension {
  return (group) =>
    group.options.map((o): Match => {
      const vm = valueMask(o.args[0] ?? '')
      return vm && o.name === '--mark' ? { kind: 'mark', of, ...vm, negate: o.negate } : opaqueMatch(optionText(o))
    })
}

function idRange(o: Option, f: 'meta.skuid' | 'meta.skgid'): Match {
  const m = /^(\d+)(?:-(\d+))?$/.exec(o.args[0] ?? '')
  return m ? within(f, Number(m[1]), Number(m[2] ?? m[1]), o.negate) : opaqueMatch(optionText(o))
}

/** Values of skb->pkt_type (include/uapi/linux/if_packet.h). */
const PACKET_TYPES: Readonly<Record<string, number>> = { unicast: 0, host: 0, broadcast: 1, multicast: 2, otherhost: 3 }

export const metaMatches: Readonly<Record<string, Extension>> = {
  mark: mark('packet'),
  connmark: mark('connection'),
  physdev: (group) =>
    group.options.map((o): Match => {
      const side = (
        {
          '--physdev-in': 'in',
          '--physdev-out': 'out',
          '--physdev-is-in': 'in',
          '--physdev-is-out': 'out',
          '--physdev-is-bridged': 'bridged',
        } as const
      )[o.name]
      if (!side) return opaqueMatch(optionText(o))
      const arg = o.name.includes('-is-') ? null : (o.args[0] ?? '')
      const wildcard = arg?.endsWith('+') ?? false
      return { kind: 'physdev', side, name: wildcard ? arg!.slice(0, -1) : arg, wildcard, negate: o.negate }
    }),
  owner: (group) =>
    group.options.map((o) =>
      o.name === '--uid-owner'
        ? idRange(o, 'meta.skuid')
        : o.name === '--gid-owner'
          ? idRange(o, 'meta.skgid')
          : opaqueMatch(optionText(o)),
    ),
  pkttype: (group) =>
    group.options.map((o) => {
      const n = PACKET_TYPES[(o.args[0] ?? '').toLowerCase()]
      return n === undefined ? opaqueMatch(optionText(o)) : within('meta.pkttype', n, n, o.negate)
    }),
  devgroup: (group) =>
    group.options.map((o): Match => {
      const vm = valueMask(o.args[0] ?? '')
      if (!vm || (o.name !== '--src-group' && o.name !== '--dst-group')) return opaqueMatch(optionText(o))
      const left = {
        kind: 'bitwise',
        op: 'and',
        left: field(o.name === '--src-group' ? 'meta.iifgroup' : 'meta.oifgroup'),
        right: literal(vm.mask),
      } as const
      return { kind: 'compare', op: o.negate ? 'ne' : 'eq', left, right: literal(vm.value) }
    }),
  cpu: (group) =>
    group.options.map((o) => {
      const n = u32(o.args[0] ?? '')
      return o.name === '--cpu' && n !== null ? within('meta.cpu', n, n, o.negate) : opaqueMatch(optionText(o))
    }),
  helper: (group) =>
    group.options.map(
      (o): Match =>
        o.name === '--helper'
          ? { kind: 'compare', op: o.negate ? 'ne' : 'eq', left: field('ct.helper'), right: literal(o.args[0] ?? '') }
          : opaqueMatch(optionText(o)),
    ),
  statistic: (group) => {
    const arg = (name: string) => group.options.find((o) => o.name === name)
    const mode = arg('--mode')?.args[0]
    const p = arg('--probability')
    const every = arg('--every')
    if (mode === 'random' && p && /^[\d.]+(e-?\d+)?$/i.test(p.args[0] ?? ''))
      return [{ kind: 'random', probability: Number(p.args[0]), negate: p.negate }]
    if (mode === 'nth' && every)
      return [
        {
          kind: 'nth',
          every: Number(every.args[0]),
          packet: Number(arg('--packet')?.args[0] ?? 0),
          negate: every.negate,
        },
      ]
    return [opaqueMatch(groupText(group))]
  },
  recent: (group) => {
    const modes = { '--rcheck': 'rcheck', '--update': 'update', '--set': 'set', '--remove': 'remove' } as const
    const quiet = new Set(['--name', '--rsource', '--rdest', '--mask', '--seconds', '--reap', '--hitcount', '--rttl'])
    const mode = group.options.find((o) => o.name in modes)
    if (!mode || group.options.some((o) => o !== mode && !quiet.has(o.name))) return [opaqueMatch(groupText(group))]
    const number = (name: string) => u32(group.options.find((o) => o.name === name)?.args[0] ?? '')
    return [
      {
        kind: 'recent',
        mode: modes[mode.name as keyof typeof modes],
        name: group.options.find((o) => o.name === '--name')?.args[0] ?? 'DEFAULT',
        side: group.options.some((o) => o.name === '--rdest') ? 'dst' : 'src',
        seconds: number('--seconds'),
        hitcount: number('--hitcount'),
        negate: mode.negate,
      },
    ]
  },
  // Counts the packet in an nfacct object and always matches (net/netfilter/xt_nfacct.c, without a quota).
  nfacct: () => [{ kind: 'always', matches: true }],
}
