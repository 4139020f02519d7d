/** Which names a snapshot tells, and their pseudonyms. */

/** Names that are the same in every cluster, or that the artefacts' own syntax uses: they stay, or nothing could be read any more. */
const WELL_KNOWN = new Set(
  `default kube-system kube-public kube-node-lease kubernetes kube-dns coredns kube-proxy kube-flannel calico-system tigera-operator
  localhost ip6-localhost ip6-loopback ip6-localnet ip6-mcastprefix ip6-allnodes ip6-allrouters cluster local svc pod pods node nodes host
  objects netns service endpoint external firewall true false null none all any tcp udp icmp icmpv6 sctp http https dns dns-tcp metrics
  accept drop reject return queue continue jump goto masquerade dnat snat redirect mark filter nat mangle raw security input output
  forward prerouting postrouting ingress egress bridge veth vxlan dummy link scope global static kernel boot dev via src dst proto
  metric table main lookup from iif oif type hook priority policy chain set map elements flags comment meta ct state new established
  related invalid untracked ip ip6 inet arp netdev listen estab unconn time-wait users net ipv4 ipv6 conf neigh core netfilter linux amd64
  arm64 permanent reachable stale failed noarp delay probe incomplete add match sport dport socket rule route address`.split(
    /\s+/,
  ),
)

/** System components, whose names tell nothing. What follows, say a node's name, is looked at on its own. */
const SYSTEM =
  /^(coredns|kube-(apiserver|controller-manager|scheduler|proxy|flannel(-ds)?|dns|router)|etcd|calico-(node|kube-controllers|typha)|cilium(-operator|-envoy)?|node-local-dns|metrics-server|local-path-provisioner)(-|$)/

/** True for names that stay: well known, of system components, or too short to be told from other words. */
export function staysAsIs(name: string): boolean {
  return name.length < 3 || /^\d+$/.test(name) || WELL_KNOWN.has(name.toLowerCase()) || SYSTEM.test(name)
}

export interface Names {
  /** Pseudonym by name. */
  readonly pseudonyms: ReadonlyMap<string, string>
}

/** Gives pseudonyms `KIND-N`, in order of name, to all names of a kind; the first kind that has a name keeps it. */
export function pseudonymsFor(byKind: ReadonlyMap<string, ReadonlySet<string>>): Map<string, string> {
  const taken = new Set([...byKind.values()].flatMap((names) => [...names]))
  const pseudonyms = new Map<string, string>()
  for (const [kind, names] of byKind) {
    let n = 0
    for (const name of [...names].sort()) {
      if (pseudonyms.has(name) || staysAsIs(name)) continue
      do n++
      while (taken.has(`${kind}-${n}`))
      pseudonyms.set(name, kind === 'domain' ? `${kind}-${n}.example` : `${kind}-${n}`)
    }
  }
  return pseudonyms
}

/**
 * Replaces names in a word of letters, digits, `-` and `.`: wherever a name begins and ends at the word's ends or at one of
 * these two. The longest name at each place wins.
 */
export function replaceNames(word: string, pseudonyms: ReadonlyMap<string, string>): string {
  const whole = pseudonyms.get(word)
  if (whole !== undefined) return whole
  if (!/[-.]/.test(word)) return word
  const parts = word.split(/([-.])/)
  let out = ''
  for (let i = 0; i < parts.length; ) {
    let end = i % 2 === 0 ? parts.length : i
    let found: string | undefined
    for (; end > i && found === undefined; end -= 2) found = pseudonyms.get(parts.slice(i, end).join(''))
    if (found === undefined) {
      out += parts[i]
      i++
    } else {
      out += found
      i = end + 2
    }
  }
  return out
}
