/** `ip -j neigh show [nud all|proxy]` (iproute2 ip/ipneigh.c print_neigh). */
import type { Neighbour } from '../../model/network.ts'
import {
  evidenceOf,
  ipOf,
  issueList,
  type Listing,
  looksLikeJson,
  type Origin,
  type Placed,
  type Row,
  readJsonRows,
  readLines,
  textOf,
  textsOf,
} from '../rows.ts'

/** Words of the plain output that are states (ipneigh.c print_neigh_state). */
const STATES = /\b(INCOMPLETE|REACHABLE|STALE|DELAY|PROBE|FAILED|NOARP|PERMANENT|NONE)\b/

export function parseNeighbours(text: string, origin: Origin): Listing<Neighbour> {
  const rows = looksLikeJson(text) || text.trim() === '' ? readJsonRows(text, origin) : readText(text, origin)
  const found = issueList(origin)
  found.issues.push(...rows.issues)
  let complete = rows.complete
  const value: Neighbour[] = []
  for (const row of rows.value) {
    const ip = ipOf(row.value.dst)
    const link = textOf(row.value.dev)
    if (!ip || (link === undefined && row.value.proxy === undefined)) {
      complete = false
      found.add(row.line, 'a neighbour without address or link')
      continue
    }
    const mac = textOf(row.value.lladdr)?.toLowerCase()
    value.push({
      ip,
      // A proxy entry for all links has no dev: it answers on every link that asks.
      link: link ?? '',
      ...(mac === undefined ? {} : { mac }),
      state: textsOf(row.value.state)[0] ?? textOf(row.value.state) ?? 'NONE',
      proxy: row.value.proxy !== undefined,
      evidence: evidenceOf(origin, row),
    })
  }
  return { value, issues: found.issues, complete }
}

function readText(text: string, origin: Origin): Listing<Placed<Row>> {
  const found = issueList(origin)
  const value: Placed<Row>[] = []
  for (const { value: raw, line } of readLines(text)) {
    const words = raw.trim().split(/\s+/)
    const after = (w: string) => (words.includes(w) ? words[words.indexOf(w) + 1] : undefined)
    value.push({
      value: {
        dst: words[0],
        dev: after('dev'),
        lladdr: after('lladdr'),
        state: STATES.exec(raw)?.[1],
        ...(words.includes('proxy') ? { proxy: null } : {}),
      },
      line,
      text: raw,
    })
  }
  return { value, issues: found.issues, complete: true }
}
