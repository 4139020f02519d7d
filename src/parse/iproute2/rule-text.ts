/** Plain `ip rule` output as rows of the shape that `ip -j` prints. */
import { issueList, type Listing, type Origin, type Placed, type Row, readLines } from '../rows.ts'

export function readRuleText(text: string, origin: Origin): Listing<Placed<Row>> {
  const found = issueList(origin)
  const value: Placed<Row>[] = []
  let complete = true
  for (const { value: raw, line } of readLines(text)) {
    const m = /^(\d+):\s+(.*)$/.exec(raw)
    if (!m) {
      complete = false
      found.add(line, 'not a line of ip rule')
    } else value.push({ value: readWords(m[2]!.trim().split(/\s+/), Number(m[1])), line, text: raw })
  }
  return { value, issues: found.issues, complete }
}

function readWords(words: readonly string[], priority: number): Row {
  const row: Record<string, unknown> = { priority }
  const split = (key: string, lengthKey: string, text: string) => {
    const [address, length] = text.split('/')
    row[key] = address
    if (length !== undefined) row[lengthKey] = length
  }
  const range = (key: string, text: string) => {
    const [from, to] = text.split('-')
    if (to === undefined && key !== 'uid') row[key] = from
    else {
      row[`${key}_start`] = from
      row[`${key}_end`] = to
    }
  }
  for (let i = 0; i < words.length; i++) {
    const w = words[i]!
    const next = words[i + 1] ?? ''
    switch (w) {
      case 'not':
      case 'nop':
      case 'l3mdev':
        row[w] = null
        continue
      case '[detached]':
      case '[unresolved]':
        continue
      case 'blackhole':
      case 'unreachable':
      case 'prohibit':
        row.action = w
        continue
      case 'from':
        split('src', 'srclen', next)
        break
      case 'to':
        split('dst', 'dstlen', next)
        break
      case 'fwmark':
        split('fwmark', 'fwmask', next)
        break
      case 'sport':
      case 'dport':
        range(w, next)
        break
      case 'uidrange':
        range('uid', next)
        break
      case 'lookup':
        if (next === '[l3mdev-table]') row.l3mdev = null
        else row.table = next
        break
      case 'proto':
        row.protocol = next
        break
      case 'realms':
        row.flow_to = next
        break
      case 'suppress_prefixlength':
        row.suppress_prefixlen = next
        break
      default:
        row[w] = next
    }
    i++
  }
  return row
}
