/** `bridge -j fdb`, `bridge -d -j link` and `bridge -j vlan` (iproute2 bridge/fdb.c, link.c, vlan.c). */
import type { BridgePortInfo, FdbEntry } from '../../model/network.ts'
import {
  evidenceOf,
  ipOf,
  isRow,
  issueList,
  type Listing,
  listOf,
  looksLikeJson,
  numberOf,
  type Origin,
  type Placed,
  type Row,
  readJsonRows,
  readLines,
  textOf,
  textsOf,
} from '../rows.ts'
import { readBridgePort } from './links.ts'

/** Bridge and VXLAN forwarding entries. `state` (permanent, static, stale) is kept among the flags. */
export function parseFdb(text: string, origin: Origin): Listing<FdbEntry> {
  const rows = looksLikeJson(text) || text.trim() === '' ? readJsonRows(text, origin) : readFdbText(text)
  const found = issueList(origin)
  found.issues.push(...rows.issues)
  let complete = rows.complete
  const value: FdbEntry[] = []
  for (const row of rows.value) {
    const r = row.value
    const mac = textOf(r.mac)?.toLowerCase()
    const link = textOf(r.ifname)
    if (mac === undefined || link === undefined) {
      complete = false
      found.add(row.line, 'a forwarding entry without MAC or link')
      continue
    }
    const dst = ipOf(r.dst)
    const numbers = { port: numberOf(r.port), vni: numberOf(r.vni), vlan: numberOf(r.vlan) }
    const viaLink = textOf(r.viaIf)
    const master = textOf(r.master)
    const state = textOf(r.state)
    value.push({
      mac,
      link,
      ...(dst ? { dst } : {}),
      ...(numbers.port === undefined ? {} : { port: numbers.port }),
      ...(numbers.vni === undefined ? {} : { vni: numbers.vni }),
      ...(viaLink === undefined ? {} : { viaLink }),
      ...(numbers.vlan === undefined ? {} : { vlan: numbers.vlan }),
      ...(master === undefined ? {} : { master }),
      flags: [...textsOf(r.flags), ...(state ? [state] : [])],
      evidence: evidenceOf(origin, row),
    })
  }
  return { value, issues: found.issues, complete }
}

function readFdbText(text: string): Listing<Placed<Row>> {
  const value = readLines(text).map(({ value: raw, line }): Placed<Row> => {
    const words = raw.trim().split(/\s+/)
    const row: Record<string, unknown> = { mac: words[0] }
    const flags: string[] = []
    const names: Readonly<Record<string, string>> = {
      dev: 'ifname',
      via: 'viaIf',
      dst: 'dst',
      port: 'port',
      vni: 'vni',
    }
    for (let i = 1; i < words.length; i++) {
      const w = words[i]!
      if (w === 'vlan' || w === 'master') row[w] = words[++i]
      else if (Object.hasOwn(names, w)) row[names[w]!] = words[++i]
      else flags.push(w)
    }
    return { value: { ...row, flags }, line, text: raw }
  })
  return { value, issues: [], complete: true }
}

/** Bridge ports by link name. */
export function parseBridgeLinks(text: string, origin: Origin): Listing<readonly [string, BridgePortInfo]> {
  const rows = readJsonRows(text, origin)
  const value: (readonly [string, BridgePortInfo])[] = []
  for (const { value: r } of rows.value) {
    const name = textOf(r.ifname)
    if (name !== undefined && r.state !== undefined) value.push([name, readBridgePort(r)])
  }
  return { ...rows, value }
}

/** VLANs a port or bridge takes part in. */
export interface BridgeVlan {
  readonly link: string
  readonly from: number
  readonly to: number
  readonly pvid: boolean
  readonly untagged: boolean
}

/** VLAN membership; a kernel without VLAN filtering prints an empty listing. */
export function parseBridgeVlans(text: string, origin: Origin): Listing<BridgeVlan> {
  const rows = readJsonRows(text, origin)
  const value: BridgeVlan[] = []
  for (const { value: r } of rows.value) {
    const link = textOf(r.ifname)
    if (link === undefined) continue
    for (const v of listOf(r.vlans)) {
      const from = isRow(v) ? numberOf(v.vlan) : undefined
      if (!isRow(v) || from === undefined) continue
      const flags = textsOf(v.flags)
      value.push({
        link,
        from,
        to: numberOf(v.vlanEnd) ?? from,
        pvid: flags.includes('PVID'),
        untagged: flags.includes('Egress Untagged'),
      })
    }
  }
  return { ...rows, value }
}
