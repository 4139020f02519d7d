/** The drawing of the generic path: one line per place, under it what is rewritten there. */
import type { PathPoint, Rewrite } from '../model/inventory.ts'
import { clean } from './clean.ts'
import { type Style, wrap } from './style.ts'

const VERBS: Readonly<Record<Rewrite['kind'], string>> = {
  dnat: 'DNAT',
  snat: 'SNAT',
  redirect: 'REDIRECT',
  tproxy: 'TPROXY',
  mss: 'MSS',
  header: 'header',
  encap: 'encap',
  ebpf: 'eBPF',
  ipvs: 'IPVS',
}

/** Column of the words beside the drawing. */
const COLUMN = 28

/** `●` something rewrites here, `○` nothing does, `?` not known. */
export function pathLines(points: readonly PathPoint[], nodes: number, s: Style, width: number): string[] {
  if (points.every((p) => p.rewrites === null || p.place === 'process'))
    return [`  ${s.yellow('?')} no node was collected: where packets are rewritten is not known`]
  const lines: string[] = []
  for (const [i, p] of points.entries()) {
    if (i > 0) lines.push('    │')
    const mark =
      p.rewrites === null ? s.yellow('?') : p.rewrites.length > 0 ? s.bold('●') : p.place === 'process' ? ' ' : '○'
    const title = clean(p.title, 60)
    if (p.text === '') lines.push(`  ${mark} ${title}`)
    else {
      const [head = '', ...rest] = wrap(clean(p.text), width, ' '.repeat(COLUMN), ' '.repeat(COLUMN))
      const gap = ' '.repeat(Math.max(2, COLUMN - 4 - title.length))
      if (title.length > COLUMN - 6) lines.push(`  ${mark} ${title}`, `    │${head.slice(5)}`)
      else lines.push(`  ${mark} ${title}${gap}${head.trimStart()}`)
      lines.push(...rest)
    }
    const more = i < points.length - 1 ? '    │' : '     '
    for (const r of p.rewrites ?? [])
      lines.push(...wrap(rewriteText(r, nodes), width, `${more}  ${VERBS[r.kind].padEnd(9)}`, `${more}           `))
  }
  return lines
}

/** `kube-proxy at prerouting, output`, with what it does where that is not plain from the verb, and where not everywhere. */
export function rewriteText(r: Rewrite, nodes: number): string {
  const hooks = r.hooks.length > 0 ? ` at ${r.hooks.join(', ')}` : ''
  const plain = r.kind === 'dnat' || r.kind === 'snat' || r.kind === 'redirect' || r.kind === 'ipvs'
  const where =
    r.pods.length > 0
      ? `, in ${r.pods.length <= 2 ? `pod ${r.pods.join(', ')}` : `${r.pods.length} pods`}`
      : r.nodes.length < nodes
        ? `, on ${r.nodes.length <= 3 ? r.nodes.join(', ') : `${r.nodes.length} of ${nodes} nodes`}`
        : ''
  return clean(`${r.owner}${plain ? '' : `: ${r.text}`}${hooks}${where}`)
}
