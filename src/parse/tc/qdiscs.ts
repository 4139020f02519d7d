/** `tc -s -d -j qdisc show` and the text of `tc filter show` with `# dev LINK ingress|egress|parent H` headings. */
import type { Qdisc } from '../../model/network.ts'
import {
  evidenceOf,
  isRow,
  issueList,
  type Listing,
  numberOf,
  type Origin,
  type Row,
  readJsonRows,
  readLines,
  textOf,
} from '../rows.ts'

/** Qdiscs with the filters that hang on them. `filters` null: not collected. */
export function parseQdiscs(
  text: string,
  origin: Origin,
  filters: { readonly text: string; readonly origin: Origin } | null,
): Listing<Qdisc> {
  const rows = readJsonRows(text, origin)
  const found = issueList(origin)
  found.issues.push(...rows.issues)
  let complete = rows.complete
  const hung = filters ? readFilters(filters.text) : []
  const value: Qdisc[] = []
  for (const row of rows.value) {
    const r = row.value
    const link = textOf(r.dev)
    const kind = textOf(r.kind)
    if (link === undefined || kind === undefined) {
      complete = false
      found.add(row.line, 'a qdisc without kind or link')
      continue
    }
    const options = isRow(r.options) ? r.options : {}
    const handle = textOf(r.handle) ?? ''
    const numbers = {
      rate: rateOf(options.rate),
      burst: bytesOf(options.burst),
      dropped: numberOf(r.drops),
      overlimits: numberOf(r.overlimits),
    }
    value.push({
      link,
      kind,
      parent: textOf(r.parent) ?? (r.root === undefined ? '' : 'root'),
      handle,
      ...(Object.fromEntries(Object.entries(numbers).filter(([, v]) => v !== undefined)) as Partial<typeof numbers>),
      ...lossOf(kind, options),
      filters: hung.filter((f) => f.link === link && onQdisc(f.where, kind, handle)).map((f) => f.text),
      evidence: evidenceOf(origin, row),
    })
  }
  return { value, issues: found.issues, complete }
}

/** netem prints its loss as a share of 1 (q_netem.c print_corr); text output is in percent. */
function lossOf(kind: string, options: Row): { readonly loss?: number } {
  if (kind !== 'netem') return {}
  const random = isRow(options['loss-random']) ? options['loss-random'] : null
  const loss = random ? numberOf(random.loss) : undefined
  return loss === undefined || loss < 0 || loss > 1 ? {} : { loss }
}

function onQdisc(where: string, kind: string, handle: string): boolean {
  if (where.startsWith('parent ')) return where.slice('parent '.length) === handle
  return kind === 'clsact' || (kind === 'ingress' && where === 'ingress')
}

interface Filter {
  readonly link: string
  readonly where: string
  readonly text: string
}

/** One filter from its `filter …` line to the next; lines that only print statistics are left out. */
function readFilters(text: string): Filter[] {
  const out: Filter[] = []
  let link = ''
  let where = ''
  let lines: string[] = []
  const flush = () => {
    if (lines.length > 0) out.push({ link, where, text: lines.join('\n') })
    lines = []
  }
  for (const { value: raw } of readLines(text)) {
    const heading = /^# dev (\S+) (ingress|egress|parent \S+)/.exec(raw)
    if (heading) {
      flush()
      link = heading[1]!
      where = heading[2]!
    } else if (/^filter\s/.test(raw)) {
      flush()
      lines = [raw]
    } else if (lines.length > 0 && lines.length < 40 && !/^\s+(Action statistics|Sent |backlog |index )/.test(raw)) {
      lines.push(raw)
    }
  }
  flush()
  return out
}

/** Bytes per second: `rate` is a number of bytes per second in JSON. */
function rateOf(value: unknown): number | undefined {
  return numberOf(isRow(value) ? value.rate : value)
}

/** `4Kb/1` in tbf (tc_util.c sprint_size and the cell log): bytes. */
function bytesOf(value: unknown): number | undefined {
  if (typeof value !== 'string') return numberOf(value)
  const m = /^(\d+(?:\.\d+)?)(b|Kb|Mb)(?:\/\d+)?$/.exec(value)
  return m ? Math.round(Number(m[1]) * { b: 1, Kb: 1024, Mb: 1024 * 1024 }[m[2] as 'b' | 'Kb' | 'Mb']) : undefined
}
