/** Plain `ip [-d] route` output as rows of the shape that `ip -j` prints. */
import { issueList, type Listing, type Origin, type Placed, type Row, readLines } from '../rows.ts'
import { ROUTE_TYPES } from './routes.ts'

type Mutable = Record<string, unknown>

/** Flags print bare, without a value (iproute.c print_rt_flags). */
const FLAGS: ReadonlySet<string> = new Set(['onlink', 'dead', 'linkdown', 'pervasive', 'offload', 'trap', 'notify'])

export function readRouteText(text: string, origin: Origin): Listing<Placed<Row>> {
  const found = issueList(origin)
  const value: Placed<Row>[] = []
  let complete = true
  let row: Mutable | null = null
  for (const { value: raw, line } of readLines(text)) {
    const words = raw.trim().split(/\s+/)
    if (/^\s/.test(raw)) {
      if (!row) {
        complete = false
        found.add(line, 'a continuation line without a route')
      } else if (words[0] === 'nexthop') {
        const hop: Mutable = {}
        readWords(words.slice(1), hop)
        row.nexthops ??= []
        ;(row.nexthops as unknown[]).push(hop)
      }
      continue
    }
    row = {}
    if (ROUTE_TYPES.has(words[0]!)) row.type = words.shift()
    row.dst = words.shift()
    readWords(words, row)
    value.push({ value: row, line, text: raw })
  }
  return { value, issues: found.issues, complete }
}

function readWords(words: readonly string[], into: Mutable): void {
  const flags: string[] = []
  const names: Readonly<Record<string, string>> = { proto: 'protocol', src: 'prefsrc' }
  for (let i = 0; i < words.length; i++) {
    const w = words[i]!
    if (FLAGS.has(w)) flags.push(w)
    else if (w === 'via') {
      const family = words[i + 1]
      if (family === 'inet' || family === 'inet6') {
        into.via = { family, host: words[i + 2] }
        i += 2
      } else into.gateway = words[++i]
    } else if (w === 'mtu') {
      if (words[i + 1] === 'lock') i++
      into.metrics = [{ mtu: words[++i] }]
    } else if (i + 1 < words.length) {
      into[Object.hasOwn(names, w) ? names[w]! : w] = words[++i]
    }
  }
  into.flags = flags
}
