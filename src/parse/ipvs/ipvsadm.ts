/** `ipvsadm -Sn`, `ipvsadm -Ln` and /proc/net/ip_vs (net/netfilter/ipvs/ip_vs_ctl.c ip_vs_info_seq_show). */
import { type Ip, ipv4, ipv6, parseIp } from '../../base/ip.ts'
import type { IpvsDestination, IpvsService } from '../../model/network.ts'
import { evidenceOf, issueList, type Listing, type Origin, readLines } from '../rows.ts'

type Draft = Omit<IpvsService, 'destinations'> & { destinations: IpvsDestination[] }

/** Virtual services with their real servers. The form is recognised line by line; headers are skipped. */
export function parseIpvs(text: string, origin: Origin): Listing<IpvsService> {
  const found = issueList(origin)
  const value: Draft[] = []
  let complete = true
  const fail = (line: number, message: string) => {
    complete = false
    found.add(line, message)
  }
  for (const { value: raw, line } of readLines(text)) {
    const words = raw.trim().split(/\s+/)
    const evidence = evidenceOf(origin, { line, text: raw })
    if (/^(IP Virtual Server|Prot LocalAddress|-> ?RemoteAddress)/.test(raw.trim())) continue
    if (words[0] === '-A') {
      const service = savedService(words.slice(1))
      if (service) value.push({ ...service, destinations: [], evidence })
      else fail(line, 'virtual service not understood')
    } else if (words[0] === '-a') {
      const saved = savedDestination(words.slice(1))
      const owner = saved && value.find((s) => sameService(s, saved.service))
      if (saved && owner) owner.destinations.push({ ...saved.destination, evidence })
      else fail(line, 'real server not understood, or of no virtual service')
    } else if (words[0] === '->') {
      const owner = value[value.length - 1]
      const destination = listedDestination(words.slice(1))
      if (owner && destination) owner.destinations.push({ ...destination, evidence })
      else fail(line, 'real server not understood')
    } else {
      const service = listedService(words)
      if (service) value.push({ ...service, destinations: [], evidence })
      else fail(line, 'not a line of ipvsadm')
    }
  }
  return { value, issues: found.issues, complete }
}

type Service = Omit<IpvsService, 'destinations' | 'evidence'>

function sameService(x: Service, y: Service): boolean {
  if (x.mark !== undefined || y.mark !== undefined) return x.mark === y.mark
  return x.protocol === y.protocol && x.port === y.port && JSON.stringify(x.address) === JSON.stringify(y.address)
}

const FLAGS: Readonly<Record<string, number>> = { '-t': 6, '-u': 17, '--sctp-service': 132 }

/** `-t 10.96.0.10:53 -s rr -p 10800`; `-f 5` is a firewall mark. */
function savedService(words: readonly string[]): Service | null {
  const head = serviceHead(words)
  if (!head) return null
  const after = (flag: string) => (words.includes(flag) ? words[words.indexOf(flag) + 1] : undefined)
  const timeout = words.includes('-p') ? Number(after('-p') ?? 300) : undefined
  return {
    ...head,
    scheduler: after('-s') ?? 'wlc',
    // `-p` without a number is 300 s (ipvsadm(8)).
    ...(timeout === undefined ? {} : { persistent: Number.isFinite(timeout) ? timeout : 300 }),
  }
}

function serviceHead(words: readonly string[]): Service | null {
  const flag = words[0] ?? ''
  if (flag === '-f' && /^\d+$/.test(words[1] ?? ''))
    return { protocol: 0, port: 0, mark: Number(words[1]), scheduler: '' }
  const end = Object.hasOwn(FLAGS, flag) ? endpoint(words[1] ?? '') : null
  return end ? { protocol: FLAGS[flag]!, address: end.ip, port: end.port, scheduler: '' } : null
}

function savedDestination(
  words: readonly string[],
): { service: Service; destination: Omit<IpvsDestination, 'evidence'> } | null {
  const service = serviceHead(words)
  const at = words.indexOf('-r')
  const end = at < 0 ? null : endpoint(words[at + 1] ?? '')
  if (!service || !end) return null
  const weight = words.includes('-w') ? Number(words[words.indexOf('-w') + 1]) : 1
  if (!Number.isInteger(weight)) return null
  const forwarding = words.includes('-m') ? 'masq' : words.includes('-i') ? 'tunnel' : 'route'
  return { service, destination: { address: end.ip, port: end.port, forwarding, weight } }
}

/** `TCP  10.96.0.10:53 rr persistent 10800`, `FWM  5 rr`; /proc prints hexadecimal addresses and ports. */
function listedService(words: readonly string[]): Service | null {
  const [kind, where, scheduler] = words
  const at = words.indexOf('persistent')
  const persistent = at < 0 ? {} : { persistent: Number(words[at + 1]) || 300 }
  if (kind === 'FWM' && /^(\d+|[0-9A-F]{8})$/.test(where ?? '')) {
    const mark = where!.length === 8 ? Number.parseInt(where!, 16) : Number(where)
    return { protocol: 0, port: 0, mark, scheduler: scheduler ?? '', ...persistent }
  }
  const protocol = { TCP: 6, UDP: 17, SCTP: 132 }[kind ?? '']
  const end = protocol === undefined ? null : endpoint(where ?? '')
  if (protocol === undefined || !end) return null
  // With --stats the columns are counters; the scheduler is not among them.
  const name = scheduler !== undefined && !/^\d/.test(scheduler) ? scheduler : ''
  return { protocol, address: end.ip, port: end.port, scheduler: name, ...persistent }
}

/** `10.244.1.2:53 Masq 1 0 12`; with --stats only counters follow the address. */
function listedDestination(words: readonly string[]): Omit<IpvsDestination, 'evidence'> | null {
  const end = endpoint(words[0] ?? '')
  if (!end) return null
  const forwarding = ({ Masq: 'masq', Route: 'route', Tunnel: 'tunnel', Local: 'masq' } as const)[words[1] ?? '']
  if (!forwarding)
    return /^\d/.test(words[1] ?? '') ? { address: end.ip, port: end.port, forwarding: 'masq', weight: 1 } : null
  return {
    address: end.ip,
    port: end.port,
    forwarding,
    weight: Number(words[2]) || 0,
    activeConnections: Number(words[3]) || 0,
    inactiveConnections: Number(words[4]) || 0,
  }
}

function endpoint(text: string): { readonly ip: Ip; readonly port: number } | null {
  const hex = /^(?:\[([0-9a-f:]+)\]|([0-9A-F]{8})):([0-9A-F]{4})$/.exec(text)
  if (hex?.[2] !== undefined) return { ip: ipv4(Number.parseInt(hex[2], 16)), port: Number.parseInt(hex[3]!, 16) }
  const m = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  if (hex?.[1] !== undefined && /^[0-9a-f]{4}(:[0-9a-f]{4}){7}$/.test(hex[1])) {
    const g = hex[1].split(':').map((x) => Number.parseInt(x, 16))
    const word = (i: number) => (g[i]! << 16) | g[i + 1]!
    return { ip: ipv6(word(0), word(2), word(4), word(6)), port: Number.parseInt(hex[3]!, 16) }
  }
  const ip = m ? parseIp((m[1] ?? m[2])!) : null
  return ip && Number(m![3]) <= 65535 ? { ip, port: Number(m![3]) } : null
}
