/** `ipvsadm -Lnc`: how many connections each real server has, which `ipvsadm -Sn` does not tell. */
import { formatIp, type Ip, parseIp } from '../../base/ip.ts'
import { protocolNumber } from '../../base/protocol.ts'
import type { IpvsService } from '../../model/network.ts'
import { readLines } from '../rows.ts'

function endpoint(text: string): { readonly ip: Ip; readonly port: number } | null {
  const m = /^\[?([0-9A-Fa-f.:]+?)\]?:(\d{1,5})$/.exec(text)
  const ip = m && parseIp(m[1]!)
  return ip ? { ip, port: Number(m[2]) } : null
}

const keyOf = (protocol: number, virtual: Ip, port: number, server: Ip, serverPort: number) =>
  `${protocol} ${formatIp(virtual)} ${port} ${formatIp(server)} ${serverPort}`

/** The services with their servers' counts. As ip_vs counts them: active are ESTABLISHED, inactive all others; templates (port 0) are none. */
export function withConnectionCounts(services: readonly IpvsService[], text: string): readonly IpvsService[] {
  const counts = new Map<string, { active: number; inactive: number }>()
  for (const { value } of readLines(text)) {
    // pro expire state source virtual destination [pe-name pe-data]
    const w = value.trim().split(/\s+/)
    const protocol = protocolNumber(w[0] ?? '')
    const [source, virtual, server] = [endpoint(w[3] ?? ''), endpoint(w[4] ?? ''), endpoint(w[5] ?? '')]
    if (protocol === null || !source || !virtual || !server || source.port === 0) continue
    const key = keyOf(protocol, virtual.ip, virtual.port, server.ip, server.port)
    const count = counts.get(key) ?? { active: 0, inactive: 0 }
    if (w[2] === 'ESTABLISHED') count.active++
    else count.inactive++
    counts.set(key, count)
  }
  return services.map((s) => ({
    ...s,
    destinations: s.destinations.map((d) => {
      if (!s.address || d.activeConnections !== undefined) return d
      const count = counts.get(keyOf(s.protocol, s.address, s.port, d.address, d.port))
      return { ...d, activeConnections: count?.active ?? 0, inactiveConnections: count?.inactive ?? 0 }
    }),
  }))
}
