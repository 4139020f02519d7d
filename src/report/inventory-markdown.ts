/** The inventory as GitHub-flavoured markdown: tables of decisions and layers, the path as drawn. */
import type { Inventory } from '../model/inventory.ts'
import { fenced, plain } from './answer-markdown.ts'
import { pathLines } from './inventory-path.ts'
import { styleFor } from './style.ts'

export function inventoryMarkdown(inv: Inventory): string {
  const collected = inv.nodes.filter((n) => n.collected).length
  const out = [`## Inventory: ${inv.nodes.length} nodes, ${collected} looked at`]
  const rows = (list: readonly { title: string; owner: string | null; state: string; value: string }[]) =>
    [
      '| what | here | owner | state |',
      '|---|---|---|---|',
      ...list.map(
        (r) => `| ${plain(r.title)} | ${plain(r.value)} | ${r.owner === null ? '' : plain(r.owner)} | ${r.state} |`,
      ),
    ].join('\n')
  out.push('### Decisions', rows(inv.decisions.map((d) => ({ ...d, value: d.value ?? d.why ?? '' }))))
  out.push('### Layers', rows(inv.layers.map((l) => ({ ...l, value: l.text }))))
  out.push('### Way of a packet out of a pod', fenced(pathLines(inv.path, collected, styleFor(false), 80)))
  if (inv.owners.length > 0)
    out.push(
      '### Owners of chains and rules',
      [
        '| node | netns | owner | chains | rules |',
        '|---|---|---|---|---|',
        ...inv.owners.map(
          (o) => `| ${plain(o.node)} | ${plain(o.netns)} | ${plain(o.owner)} | ${o.chains} | ${o.rules} |`,
        ),
      ].join('\n'),
    )
  if (inv.missing.length > 0)
    out.push('### Not collected', inv.missing.map((m) => `- ${plain(m.consequence)}`).join('\n'))
  return `${out.join('\n\n')}\n`
}
