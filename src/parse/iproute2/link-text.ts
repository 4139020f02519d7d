/**
 * Plain `ip [-d] [-s] link` and `ip addr` output (support bundles, tools too old for `-j`), turned into rows of the shape
 * that `ip -j` prints, so that one reader understands both.
 */
import { issueList, type Listing, type Origin, type Placed, type Row, readLines } from '../rows.ts'

type Mutable = Record<string, unknown>

const HEADER = /^(\d+): ([^\s:@]+(?:@[^\s:]+)?):?\s+<([^>]*)>\s*(.*)$/

/** Words that open the detail line of a kind, as `ip -d link` prints them after the link-layer line. */
const DETAIL =
  /^(veth|bridge|vxlan|ipip|gre|gretap|geneve|wireguard|macvlan|macvtap|ipvlan|vlan|bond|dummy|tun|ifb|vrf|sit|ip6tnl|vti)(?=\s|$)/

export function readLinkText(text: string, origin: Origin): Listing<Placed<Row>> {
  const found = issueList(origin)
  const value: Placed<Row>[] = []
  let complete = true
  let row: Mutable | null = null
  let expect: 'rx' | 'tx' | null = null
  let columns: string[] = []
  for (const { value: raw, line } of readLines(text)) {
    const header = HEADER.exec(raw)
    if (header) {
      row = readHeader(header)
      value.push({ value: row, line, text: raw })
      continue
    }
    const t = raw.trim()
    if (!row || !/^\s/.test(raw)) {
      complete = false
      found.add(line, 'not a line of ip link or ip addr')
      continue
    }
    if (expect) {
      const counts = t.split(/\s+/).map(Number)
      const stats = row.stats64 as Record<string, Record<string, number>>
      stats[expect] = Object.fromEntries(columns.map((c, i) => [c, counts[i] ?? 0]))
      expect = null
    } else if (/^[RT]X:/.test(t)) {
      columns = t.slice(3).trim().split(/\s+/)
      expect = t.startsWith('RX') ? 'rx' : 'tx'
      row.stats64 ??= {}
    } else if (t.startsWith('link/')) readLinkLayer(t, row)
    else if (t.startsWith('inet ') || t.startsWith('inet6 '))
      (row.addr_info as unknown[]).push({ ...readInet(t), line, text: t })
    else readDetail(t, row)
  }
  return { value, issues: found.issues, complete }
}

function readHeader(m: RegExpExecArray): Mutable {
  const [name, upper] = m[2]!.split('@') as [string, string | undefined]
  const words = pairs(m[4]!)
  const row: Mutable = {
    ifindex: Number(m[1]),
    ifname: name,
    flags: m[3]!.split(',').filter((f) => f !== ''),
    mtu: words.get('mtu'),
    operstate: words.get('state'),
    addr_info: [],
  }
  if (words.has('master')) row.master = words.get('master')
  if (upper !== undefined && upper !== 'NONE') row.link = upper
  return row
}

function readLinkLayer(t: string, row: Mutable): void {
  const [type, address] = t.split(/\s+/)
  row.link_type = type!.slice('link/'.length)
  if (address !== undefined && /^[0-9a-f:]{17}$/i.test(address)) row.address = address
  const words = pairs(t)
  if (words.has('link-netnsid')) row.link_netnsid = words.get('link-netnsid')
  // A peer elsewhere prints as NAME@ifN: the index, in the netns that link-netns names.
  const bare = typeof row.link === 'string' ? /^if(\d+)$/.exec(row.link) : null
  if (bare && (words.has('link-netnsid') || words.has('link-netns'))) {
    row.link_index = Number(bare[1])
    delete row.link
  }
}

function readInet(t: string): Mutable {
  const fields = t.split(/\s+/)
  const words = pairs(t)
  const peer = words.get('peer')
  const [local, length] = (
    peer === undefined ? fields[1]! : `${fields[1]!.split('/')[0]}/${peer.split('/')[1] ?? ''}`
  ).split('/')
  const flags: Mutable = {}
  for (const f of fields)
    if (/^(tentative|dadfailed|deprecated|secondary|temporary|dynamic|nodad|noprefixroute|mngtmpaddr)$/.test(f))
      flags[f] = true
  return {
    local,
    prefixlen: length ?? (t.startsWith('inet6') ? 128 : 32),
    scope: words.get('scope'),
    ...(peer === undefined ? {} : { address: peer.split('/')[0] }),
    ...(words.has('brd') ? { broadcast: words.get('brd') } : {}),
    ...flags,
  }
}

function readDetail(t: string, row: Mutable): void {
  if (t.startsWith('bridge_slave ')) {
    const info = linkInfo(row)
    info.info_slave_kind = 'bridge'
    info.info_slave_data = Object.fromEntries(pairs(t.slice('bridge_slave '.length)))
    return
  }
  const kind = DETAIL.exec(t)
  if (!kind) return
  const words = pairs(t.slice(kind[0].length))
  const data: Mutable = Object.fromEntries(words)
  const flags = new Set(t.split(/\s+/))
  if (kind[1] === 'vxlan') {
    data.port = words.get('dstport')
    data.link = words.get('dev')
    data.learning = !flags.has('nolearning')
    // `external id 0`: external stands before a keyword, not before its value.
    data.external = flags.has('external')
    if (words.get('external') === 'id') data.id = /\bid (\d+)/.exec(t)?.[1]
  } else if (words.has('dev')) data.link = words.get('dev')
  const info = linkInfo(row)
  info.info_kind = kind[1]
  info.info_data = data
}

/** Every word mapped to the word after it: keyword-value output without a grammar. The first occurrence wins. */
function pairs(t: string): Map<string, string> {
  const words = t.trim().split(/\s+/)
  const out = new Map<string, string>()
  for (let i = 0; i + 1 < words.length; i++) if (!out.has(words[i]!)) out.set(words[i]!, words[i + 1]!)
  return out
}

function linkInfo(row: Mutable): Mutable {
  row.linkinfo ??= {}
  return row.linkinfo as Mutable
}
