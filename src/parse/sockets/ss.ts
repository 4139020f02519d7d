/** `ss -n` with any of -H -l -a -t -u -w -S -p -e -O (iproute2 misc/ss.c). */
import { type Ip, ipv4, isUnspecified, parseIp, UNSPECIFIED } from '../../base/ip.ts'
import type { Socket } from '../../model/network.ts'
import { evidenceOf, issueList, type Listing, type Origin, readLines } from '../rows.ts'

const PROTOCOLS: Readonly<Record<string, number>> = {
  tcp: 6,
  udp: 17,
  sctp: 132,
  dccp: 33,
  mptcp: 262,
  icmp6: 58,
  udplite: 136,
}
/** Families that carry no IP traffic of their own; ss lists them when asked for all. */
const OTHERS: ReadonlySet<string> = new Set([
  ...['u_str', 'u_dgr', 'u_seq', 'nl', 'p_raw', 'p_dgr', 'v_str', 'v_dgr', 'tipc', 'xdp', 'ti_st'],
])

/**
 * Internet sockets. `*:8080` is an IPv6 wildcard socket that also takes IPv4 (ss.c inet_addr_print: `*` for :: without
 * v6only), `[::]:8080` one that does not, `0.0.0.0:8080` an IPv4 one. A raw socket's port is its protocol number, which
 * becomes `protocol`. An IPv4-mapped address is given as IPv4.
 */
export function parseSockets(text: string, origin: Origin): Listing<Socket> {
  const found = issueList(origin)
  const value: Socket[] = []
  let complete = true
  for (const { value: raw, line } of readLines(text)) {
    // Continuation lines of -i and -m are indented; the header starts with Netid or State.
    if (/^\s/.test(raw) || /^(Netid|State)\s/.test(raw)) continue
    const words = raw.trim().split(/\s+/)
    if (OTHERS.has(words[0]!)) continue
    const socket = readSocket(words, raw)
    if (!socket) {
      complete = false
      found.add(line, 'not a socket of ss')
      continue
    }
    value.push({ ...socket, evidence: evidenceOf(origin, { line, text: raw.trimEnd() }) })
  }
  return { value, issues: found.issues, complete }
}

function readSocket(words: readonly string[], raw: string): Omit<Socket, 'evidence'> | null {
  const [netid, state, recv, send, localText, remoteText] = words
  if (localText === undefined || remoteText === undefined) return null
  const raws = netid === 'raw'
  const known = Object.hasOwn(PROTOCOLS, netid!) ? PROTOCOLS[netid!]! : undefined
  if ((!raws && known === undefined) || !/^\d+$/.test(recv!) || !/^\d+$/.test(send!)) return null
  const local = endpoint(localText)
  const remote = endpoint(remoteText)
  if (!local || !remote) return null
  const v6only = /\bv6only:([01])\b/.exec(raw)?.[1]
  const process = /users:\(\("([^"]*)"/.exec(raw)?.[1]
  // A wildcard with v6only:0 is dual stack however the tool prints it; older ones print `:::8080`.
  const dualStack = local.star || (local.ip.family === 6 && isUnspecified(local.ip) && v6only === '0')
  return {
    protocol: raws ? local.port : known!,
    state: state!,
    local: local.star ? UNSPECIFIED[6] : local.ip,
    localPort: raws ? 0 : local.port,
    remote: remote.star || (isUnspecified(remote.ip) && remote.port === 0) ? null : remote.ip,
    remotePort: raws ? 0 : remote.port,
    dualStack,
    ...(local.link === undefined ? {} : { link: local.link }),
    recvQueue: Number(recv),
    sendQueue: Number(send),
    ...(process === undefined ? {} : { process }),
    ...(raws ? { raw: true } : {}),
  }
}

interface End {
  readonly ip: Ip
  readonly star: boolean
  readonly port: number
  readonly link?: string
}

/** `10.0.0.1:80`, `[::1]:80`, `*:80`, `0.0.0.0%eth0:80`, `[fe80::1]%eth0:80`, `*%eth0:80`, `*:*`. */
function endpoint(text: string): End | null {
  const colon = text.lastIndexOf(':')
  if (colon < 0) return null
  const portText = text.slice(colon + 1)
  const port = portText === '*' ? 0 : /^\d{1,5}$/.test(portText) ? Number(portText) : -1
  if (port < 0 || port > 65535) return null
  const [hostText, link] = text.slice(0, colon).split('%', 2) as [string, string | undefined]
  const rest = link === undefined ? {} : { link: link.replace(/\]$/, '') }
  if (hostText === '*') return { ip: UNSPECIFIED[6], star: true, port, ...rest }
  const ip = parseIp(hostText.replace(/^\[/, '').replace(/\]$/, ''))
  if (!ip) return null
  return { ip: unmapped(ip), star: false, port, ...rest }
}

/** ::ffff:0:0/96 (RFC 4291 section 2.5.5.2): an IPv4 connection of an IPv6 socket. */
function unmapped(ip: Ip): Ip {
  return ip.family === 6 && ip.a === 0 && ip.b === 0 && ip.c === 0xffff ? ipv4(ip.d) : ip
}
