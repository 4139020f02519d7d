/** The long tables of the inventory: links and owners. Columns are as wide as they must be, also beyond 80. */
import type { InterfaceFact, Inventory, PodAttachment } from '../model/inventory.ts'
import { clean } from './clean.ts'
import { type Style, wrap } from './style.ts'

export function several(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? '' : 's'}`
}

/** Pods with their links, then the interfaces of nodes; of every netns with `all`. */
export function linkLines(inv: Inventory, s: Style, all = false): string[] {
  const lines = [s.bold('Pods and their links')]
  if (inv.attachments.length === 0) lines.push('  none known')
  lines.push(...table(inv.attachments.map(attachmentRow)))
  lines.push('', s.bold(all ? 'Interfaces' : 'Interfaces of nodes'))
  const shown = inv.interfaces.filter((i) => all || i.netns === 'host')
  if (shown.length === 0) lines.push('  not collected')
  const rows = shown.map((i) => ({ netns: i.netns, row: interfaceRow(i) }))
  lines.push(
    ...table(rows.map(({ netns, row: [node = '', ...rest] }) => (all ? [node, netns, ...rest] : [node, ...rest]))),
  )
  return lines
}

function attachmentRow(a: PodAttachment): string[] {
  const hairpin = a.hairpin === undefined ? '' : a.hairpin ? 'hairpin on' : 'hairpin off'
  const way = [a.link ?? '', a.hostLink ?? '', a.bridge ?? (a.hostLink === undefined ? '' : 'routed')].filter(
    (x) => x !== '',
  )
  return [
    a.node,
    a.pod,
    a.addresses.join(','),
    way.join(' ↔ '),
    a.mtu === undefined ? '' : `mtu ${a.mtu}`,
    a.why ?? hairpin,
  ]
}

function interfaceRow(i: InterfaceFact): string[] {
  const peer = i.peer ? `↔ ${i.peer.netns.replace(`${i.node}/`, '')}:${i.peer.link}` : ''
  const master = i.master === undefined ? '' : `in ${i.master}`
  return [
    i.node,
    i.name,
    i.type,
    i.up ? 'up' : 'down',
    `mtu ${i.mtu}`,
    [master, peer, i.detail ?? '', ...i.addresses].filter((x) => x !== '').join(' '),
  ]
}

/** Chains and rules by owner, then the chains of nobody known. */
export function ownerLines(inv: Inventory, s: Style, width: number): string[] {
  const lines = [s.bold('Owners of chains and rules')]
  if (inv.owners.length === 0) lines.push('  no rules, or none collected')
  lines.push(
    ...table(
      inv.owners.map((o) => [
        o.node,
        o.netns,
        o.owner,
        several(o.chains, 'chain'),
        several(o.rules, 'rule'),
        o.backends.join(', '),
      ]),
    ),
  )
  lines.push('', s.bold('Chains with no known owner'))
  if (inv.unknownChains.length === 0) lines.push('  none')
  for (const c of inv.unknownChains)
    lines.push(
      ...wrap(
        clean(`${c.node} ${c.netns}: ${c.family} ${c.table} ${c.chain}, ${several(c.rules, 'rule')}`),
        width,
        '  ',
        '    ',
      ),
    )
  return lines
}

/** Columns as wide as their longest word; the last one is not padded. */
function table(rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((r) => r.map((c) => clean(c)))
  const widths = (cells[0] ?? []).map((_, i) => Math.max(...cells.map((r) => r[i]!.length)))
  return cells.map((r) => `  ${r.map((c, i) => (i === r.length - 1 ? c : c.padEnd(widths[i]!))).join('  ')}`.trimEnd())
}
