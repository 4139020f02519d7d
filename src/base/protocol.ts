/** IP protocol numbers (IANA protocol-numbers) by the names users and iptables-save use. */
export const PROTOCOLS = {
  icmp: 1,
  igmp: 2,
  ipip: 4,
  tcp: 6,
  udp: 17,
  dccp: 33,
  ipv6: 41,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  sctp: 132,
  udplite: 136,
} as const

export const TCP = 6
export const UDP = 17
export const ICMP = 1
export const ICMPV6 = 58
export const SCTP = 132

const names = new Map<number, string>(Object.entries(PROTOCOLS).map(([name, n]) => [n, name]))

/** The protocol's name, or its number in decimal. */
export function protocolName(protocol: number): string {
  return names.get(protocol) ?? String(protocol)
}

/** The number of a protocol given by name (any case, `ipv6-icmp` and `icmp6` too) or in decimal; null when unknown. */
export function protocolNumber(text: string): number | null {
  const t = text.toLowerCase()
  if (/^\d{1,3}$/.test(t)) return Number(t) <= 255 ? Number(t) : null
  if (t === 'ipv6-icmp' || t === 'icmp6') return ICMPV6
  if (t === 'ipencap') return 4
  return (PROTOCOLS as Record<string, number>)[t] ?? null
}

/** True for protocols whose header starts with a source and a destination port. */
export function hasPorts(protocol: number): boolean {
  return protocol === 6 || protocol === 17 || protocol === 132 || protocol === 33 || protocol === 136
}
