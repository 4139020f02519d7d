/** Which parts of the rule languages a run has exercised: how often each was loaded, and how often a packet hit a rule with it. */

const NFT: readonly string[] = [
  'ip saddr',
  'ip daddr',
  'ip6 saddr',
  'ip6 daddr',
  'ip protocol',
  'ip6 nexthdr',
  'ip ttl',
  'ip6 hoplimit',
  'ip dscp',
  'ip6 dscp',
  'tcp dport',
  'tcp sport',
  'udp dport',
  'udp sport',
  'sctp dport',
  'sctp sport',
  'th dport',
  'tcp flags',
  'icmp type',
  'icmp code',
  'icmpv6 type',
  'meta l4proto',
  'meta mark',
  'meta mark set',
  'meta length',
  'meta nfproto',
  'meta pkttype',
  'iifname',
  'oifname',
  'ct state',
  'ct status',
  'ct direction',
  'ct mark',
  'ct mark set',
  'ct original',
  'fib saddr',
  'fib daddr',
  'numgen random',
  'numgen inc',
  'limit rate',
  'vmap {',
  'vmap @',
  ' map {',
  'dnat',
  'snat',
  'masquerade',
  'redirect',
  'reject',
  'drop',
  'accept',
  'return',
  'continue',
  'jump',
  'goto',
  'notrack',
  '@th,',
  '@addrs',
  '@ports',
  ' . ',
  '!=',
  'queue',
]

/** Words of one listing line that name a part of its language. */
export function featuresOf(line: string): string[] {
  if (/(^|\] )-A /.test(line)) {
    const out: string[] = []
    for (const m of line.matchAll(/(! )?(-m|-j|-g) (\S+)/g))
      if (m[2] !== '-m' ? /^[A-Z]{3,}$/.test(m[3]!) : true) out.push(`${m[2]} ${m[3]}`)
    for (const m of line.matchAll(/ (! )?(-[sdiop]) /g)) out.push(`${m[1] ?? ''}${m[2]}`)
    for (const m of line.matchAll(/ ! (--\S+)/g)) out.push(`! ${m[1]}`)
    if (/ -g /.test(line)) out.push('-g CHAIN')
    return out
  }
  return line.includes('counter packets') ? NFT.filter((word) => line.includes(word)).map((w) => `nft ${w.trim()}`) : []
}

export class Coverage {
  readonly loaded = new Map<string, number>()
  readonly hit = new Map<string, number>()

  add(listing: string, hits: ReadonlySet<number>): void {
    listing.split('\n').forEach((line, i) => {
      for (const f of featuresOf(line)) {
        this.loaded.set(f, (this.loaded.get(f) ?? 0) + 1)
        if (hits.has(i + 1)) this.hit.set(f, (this.hit.get(f) ?? 0) + 1)
      }
    })
  }

  /** `feature loaded/hit`, by name. */
  lines(): string[] {
    return [...this.loaded]
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([f, n]) => `${f}\t${n}\t${this.hit.get(f) ?? 0}`)
  }
}
