/** `ip -d -s -j link` and `ip -j addr` (iproute2 ip/ipaddress.c, ip/iplink_*.c): links, their kinds and addresses. */
import type {
  BridgeInfo,
  BridgePortInfo,
  Link,
  LinkAddress,
  LinkKind,
  TunnelInfo,
  VxlanInfo,
} from '../../model/network.ts'
import {
  booleanOf,
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
  textOf,
  textsOf,
} from '../rows.ts'
import { readLinkText } from './link-text.ts'

const KINDS: Readonly<Record<string, LinkKind>> = {
  veth: 'veth',
  bridge: 'bridge',
  vxlan: 'vxlan',
  ipip: 'ipip',
  gre: 'gre',
  geneve: 'geneve',
  wireguard: 'wireguard',
  macvlan: 'macvlan',
  macvtap: 'macvlan',
  ipvlan: 'ipvlan',
  ipvtap: 'ipvlan',
  vlan: 'vlan',
  bond: 'bond',
  dummy: 'dummy',
  tun: 'tun',
  ifb: 'ifb',
  vrf: 'vrf',
  sit: 'sit',
}

/** A link row before names are resolved to indexes. */
interface Draft {
  readonly link: Omit<Link, 'master' | 'lower' | 'addresses'>
  readonly masterName?: string
  readonly lowerName?: string
  readonly lowerIndex?: number
}

/**
 * Links with their addresses, in the order of the listing. `addresses` null: not collected; links then have none, and the
 * caller must not call the addresses known. Plain `ip -d link` and `ip addr` output is read too.
 */
export function parseLinks(
  links: { readonly text: string; readonly origin: Origin },
  addresses: { readonly text: string; readonly origin: Origin } | null,
): Listing<Link> {
  const rows = readRows(links.text, links.origin)
  const found = issueList(links.origin)
  found.issues.push(...rows.issues)
  let complete = rows.complete
  const drafts: Draft[] = []
  for (const row of rows.value) {
    const draft = readLink(row, links.origin)
    if (draft) drafts.push(draft)
    else {
      complete = false
      found.add(row.line, 'a link without index or name')
    }
  }
  const addressed = addresses ? parseAddresses(addresses.text, addresses.origin) : null
  if (addressed) {
    found.issues.push(...addressed.issues)
    complete &&= addressed.complete
  }
  const byName = new Map(drafts.map((d) => [d.link.name, d.link.ifindex]))
  const value = drafts.map(({ link, masterName, lowerName, lowerIndex }): Link => {
    const lower = lowerIndex ?? (lowerName === undefined ? undefined : indexOf(lowerName, byName))
    const master = masterName === undefined ? undefined : indexOf(masterName, byName)
    return {
      ...link,
      ...(master === undefined ? {} : { master }),
      ...(lower === undefined ? {} : { lower }),
      addresses: addressed?.byIndex.get(link.ifindex) ?? [],
    }
  })
  return { value, issues: found.issues, complete }
}

function readRows(text: string, origin: Origin): Listing<Placed<Row>> {
  return looksLikeJson(text) || text.trim() === '' ? readJsonRows(text, origin) : readLinkText(text, origin)
}

/** `if7` is what iproute2 prints for an index it has no name for. */
function indexOf(name: string, byName: ReadonlyMap<string, number>): number | undefined {
  const known = byName.get(name)
  if (known !== undefined) return known
  const bare = /^if(\d+)$/.exec(name)
  return bare ? Number(bare[1]) : undefined
}

function readLink(row: Placed<Row>, origin: Origin): Draft | null {
  const r = row.value
  const ifindex = numberOf(r.ifindex)
  const name = textOf(r.ifname)
  if (ifindex === undefined || name === undefined || name === '') return null
  const info = isRow(r.linkinfo) ? r.linkinfo : {}
  const data = isRow(info.info_data) ? info.info_data : {}
  const port = info.info_slave_kind === 'bridge' && isRow(info.info_slave_data) ? info.info_slave_data : null
  const kernelKind = textOf(info.info_kind)
  const kind = kindOf(kernelKind, textOf(r.link_type))
  const link: Draft['link'] = {
    ifindex,
    name,
    kind,
    ...(kernelKind !== undefined && kernelKind !== kind ? { kernelKind } : {}),
    flags: new Set(textsOf(r.flags)),
    operstate: textOf(r.operstate) ?? 'UNKNOWN',
    mtu: numberOf(r.mtu) ?? 0,
    mac: r.link_type === 'ether' || r.link_type === 'loopback' ? (textOf(r.address) ?? '').toLowerCase() : '',
    ...optional('linkNetnsid', numberOf(r.link_netnsid)),
    ...optional('vxlan', kind === 'vxlan' ? readVxlan(data) : undefined),
    ...optional('tunnel', isTunnel(kind, kernelKind) ? readTunnel(data) : undefined),
    ...optional('bridge', kind === 'bridge' ? readBridge(data) : undefined),
    ...optional('bridgePort', port ? readBridgePort(port) : undefined),
    ...optional('macvlanMode', kind === 'macvlan' ? textOf(data.mode) : undefined),
    ...optional('vlanId', kind === 'vlan' ? numberOf(data.id) : undefined),
    ...optional('vrfTable', kind === 'vrf' ? numberOf(data.table) : undefined),
    ...optional('stats', readStats(r.stats64)),
    evidence: evidenceOf(origin, row),
  }
  return {
    link,
    ...optional('masterName', textOf(r.master)),
    ...optional('lowerName', textOf(r.link)),
    ...optional('lowerIndex', numberOf(r.link_index)),
  }
}

function optional<K extends string, V>(key: K, value: V | undefined): { [k in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [k in K]?: V })
}

function kindOf(kernelKind: string | undefined, linkType: string | undefined): LinkKind {
  if (kernelKind !== undefined) return Object.hasOwn(KINDS, kernelKind) ? KINDS[kernelKind]! : 'other'
  return linkType === 'loopback' ? 'loopback' : linkType === 'ether' ? 'ethernet' : 'other'
}

function isTunnel(kind: LinkKind, kernelKind: string | undefined): boolean {
  return (
    kind === 'ipip' ||
    kind === 'gre' ||
    kind === 'sit' ||
    kind === 'geneve' ||
    ['gretap', 'ip6tnl', 'ip6gre', 'ip6gretap', 'vti', 'vti6'].includes(kernelKind ?? '')
  )
}

function readVxlan(d: Row): VxlanInfo {
  return {
    vni: numberOf(d.id) ?? 0,
    port: numberOf(d.port) ?? 0,
    ...optional('local', ipOf(d.local) ?? ipOf(d.local6)),
    ...optional('remote', ipOf(d.remote) ?? ipOf(d.remote6) ?? ipOf(d.group) ?? ipOf(d.group6)),
    ...optional('link', textOf(d.link)),
    // iplink_vxlan.c prints `learning` only when it is off in text, as a boolean in JSON; the kernel's default is on.
    learning: booleanOf(d.learning) ?? true,
    external: booleanOf(d.external) ?? false,
  }
}

function readTunnel(d: Row): TunnelInfo {
  return {
    ...optional('local', ipOf(d.local) ?? ipOf(d.local6)),
    ...optional('remote', ipOf(d.remote) ?? ipOf(d.remote6)),
    ...optional('link', textOf(d.link)),
    ...optional('ttl', numberOf(d.ttl) || undefined),
    ...optional('external', booleanOf(d.external)),
    ...optional('vni', numberOf(d.id)),
    ...optional('port', numberOf(d.port)),
  }
}

function readBridge(d: Row): BridgeInfo {
  return {
    vlanFiltering: booleanOf(d.vlan_filtering) ?? false,
    stp: (numberOf(d.stp_state) ?? 0) > 0,
    ...optional('nfCallIptables', booleanOf(d.nf_call_iptables)),
    ...optional('nfCallIp6tables', booleanOf(d.nf_call_ip6tables)),
  }
}

/** Also reads the rows of `bridge -d -j link`, which use the same names. Absent ones take the kernel's defaults (br_if.c new_nbp). */
export function readBridgePort(d: Row): BridgePortInfo {
  return {
    state: textOf(d.state) ?? 'unknown',
    hairpin: booleanOf(d.hairpin) ?? false,
    isolated: booleanOf(d.isolated) ?? false,
    learning: booleanOf(d.learning) ?? true,
    flood: booleanOf(d.flood) ?? true,
  }
}

function readStats(value: unknown): Link['stats'] | undefined {
  if (!isRow(value) || !isRow(value.rx) || !isRow(value.tx)) return undefined
  const { rx, tx } = value
  return {
    rxPackets: numberOf(rx.packets) ?? 0,
    rxErrors: numberOf(rx.errors) ?? 0,
    rxDropped: numberOf(rx.dropped) ?? 0,
    txPackets: numberOf(tx.packets) ?? 0,
    txErrors: numberOf(tx.errors) ?? 0,
    txDropped: numberOf(tx.dropped) ?? 0,
  }
}

/** Words of `addr_info` that are flags: iproute2 prints each as `"word": true` (ip/ipaddress.c ifa_flag_data). */
const ADDRESS_FLAGS = [
  'tentative',
  'dadfailed',
  'deprecated',
  'secondary',
  'temporary',
  'permanent',
  'dynamic',
  'nodad',
  'optimistic',
  'home',
  'mngtmpaddr',
  'noprefixroute',
  'autojoin',
  'stable-privacy',
] as const

function parseAddresses(
  text: string,
  origin: Origin,
): Listing<never> & { readonly byIndex: ReadonlyMap<number, readonly LinkAddress[]> } {
  const rows = readRows(text, origin)
  const found = issueList(origin)
  found.issues.push(...rows.issues)
  let complete = rows.complete
  const byIndex = new Map<number, LinkAddress[]>()
  for (const row of rows.value) {
    const ifindex = numberOf(row.value.ifindex)
    if (ifindex === undefined) continue
    const list = byIndex.get(ifindex) ?? []
    for (const info of listOf(row.value.addr_info)) {
      if (!isRow(info) || Object.keys(info).length === 0) continue
      const address = readAddress(info, row, origin)
      if (address) list.push(address)
      else {
        complete = false
        found.add(row.line, `an address of ${textOf(row.value.ifname)} was not understood: ${JSON.stringify(info)}`)
      }
    }
    byIndex.set(ifindex, list)
  }
  return { value: [], issues: found.issues, complete, byIndex }
}

function readAddress(info: Row, row: Placed<Row>, origin: Origin): LinkAddress | null {
  const ip = ipOf(info.local)
  const length = numberOf(info.prefixlen)
  if (!ip || length === undefined || length > (ip.family === 4 ? 32 : 128)) return null
  const peer = ipOf(info.address)
  const broadcast = ipOf(info.broadcast)
  const line = numberOf(info.line) ?? row.line
  const text = textOf(info.text) ?? `${textOf(row.value.ifname)} ${JSON.stringify(info)}`
  return {
    ip,
    length,
    scope: textOf(info.scope) ?? 'global',
    flags: [...ADDRESS_FLAGS.filter((f) => info[f] === true), ...textsOf(info.flags)],
    ...(peer ? { peer: { ip: peer, length } } : {}),
    ...(broadcast ? { broadcast } : {}),
    evidence: evidenceOf(origin, { line, text }),
  }
}
