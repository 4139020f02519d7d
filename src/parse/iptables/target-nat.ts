/** DNAT, SNAT, MASQUERADE, REDIRECT, NETMAP. */
import { parseIp } from '../../base/ip.ts'
import type { NatAddress, NatPort, Statement } from '../../model/ruleset.ts'
import type { RuleContext } from './extension.ts'
import type { Group } from './options.ts'
import { addressMask, addressRange, portRange } from './values.ts'

/** `[ADDR[-ADDR]][:PORT[-PORT]]`, IPv6 addresses with ports in brackets; null when not understood. */
function destination(text: string, family: 4 | 6): { address: NatAddress | null; port: NatPort | null } | null {
  const m =
    family === 6
      ? /^(?:\[([^\]]+)\]|([0-9a-fA-F:.]+(?:-[0-9a-fA-F:.]+)?))?(?::([\d-]+))?$/.exec(text)
      : /^([\d.]+(?:-[\d.]+)?)?()(?::([\d-]+))?$/.exec(text)
  let addressText = m?.[1] || m?.[2] || ''
  let portText = m?.[3]
  if (family === 6 && !text.startsWith('[') && !text.startsWith(':') && parseIp(text.split('-')[0] ?? '')) {
    // A bare IPv6 address: its last group is not a port.
    addressText = text
    portText = undefined
  } else if (!m) return null
  const range = addressText === '' ? null : addressRange(addressText.replaceAll(/[[\]]/g, ''), family)
  const ports = portText === undefined ? null : portRange(portText, '-')
  if ((addressText !== '' && !range) || (portText !== undefined && !ports)) return null
  return {
    address: range ? { kind: 'range', from: range.from, to: range.to } : null,
    port: ports ? { kind: 'range', from: ports[0], to: ports[1] } : null,
  }
}

/** The statement of a NAT target, or null when an option is not understood. */
export function natTarget(target: Group, ctx: RuleContext): Statement | null {
  const known = new Set([
    '--to-destination',
    '--to-source',
    '--to-ports',
    '--to-port',
    '--to',
    '--random',
    '--random-fully',
    '--persistent',
  ])
  if (target.options.some((o) => !known.has(o.name))) return null
  const has = (name: string) => target.options.some((o) => o.name === name)
  const random = has('--random') || has('--random-fully')
  const to = target.options.filter((o) => o.name.startsWith('--to'))
  if (to.length > 1) return null
  const text = to[0]?.args[0]
  switch (target.name) {
    case 'DNAT':
    case 'SNAT': {
      const parsed = text === undefined ? null : destination(text, ctx.family)
      return (
        parsed && {
          kind: 'nat',
          type: target.name === 'DNAT' ? 'dnat' : 'snat',
          ...parsed,
          random,
          persistent: has('--persistent'),
        }
      )
    }
    case 'MASQUERADE':
    case 'REDIRECT': {
      const ports = text === undefined ? null : portRange(text, '-')
      if (text !== undefined && !ports) return null
      return {
        kind: target.name === 'MASQUERADE' ? 'masquerade' : 'redirect',
        port: ports ? { kind: 'range', from: ports[0], to: ports[1] } : null,
        random,
      }
    }
    default: {
      // NETMAP translates the destination before routing and the source after it (net/netfilter/xt_NETMAP.c); in a
      // regular chain that depends on the way the packet came.
      const am = addressMask(text ?? '', ctx.family)
      const type =
        ctx.chain === 'PREROUTING' || ctx.chain === 'OUTPUT'
          ? 'dnat'
          : ctx.chain === 'POSTROUTING' || ctx.chain === 'INPUT'
            ? 'snat'
            : null
      return am && type && { kind: 'netmap', type, ...am }
    }
  }
}
