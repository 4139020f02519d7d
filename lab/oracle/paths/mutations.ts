/**
 * Random changes to a running lab, each with the command that takes it back. They are what breaks clusters: routes, links,
 * rules, sysctls, neighbours, FDB entries, bridge ports, addresses. Some change nothing that matters; that is on purpose.
 */
import type { Random } from '../random.ts'

export interface WorldNode {
  readonly netns: string
  readonly index: number
  readonly ip: string
}

export interface WorldPod {
  readonly netns: string
  readonly node: WorldNode
  readonly ip: string
  /** Name of its veth on the node. */
  readonly veth: string
}

export interface World {
  readonly nodes: readonly WorldNode[]
  readonly pods: readonly WorldPod[]
  readonly topology: string
}

/** A change as shell commands; `undo` restores what `run` found (it may use variables that `run` set). */
export interface Mutation {
  readonly title: string
  readonly run: string
  readonly undo: string
}

const inside = (netns: string, command: string) => `nsenter --net=/run/netns/${netns} ${command}`

function route(rand: Random, w: World): Mutation {
  const node = rand.pick(w.nodes)
  const far = rand.pick(w.nodes.filter((n) => n !== node))
  const pod = rand.pick(w.pods)
  const cidr = `10.244.${far.index}.0/24`
  const ip = `ip -n ${node.netns}`
  return rand.pick<Mutation>([
    {
      title: `${node.netns}: no route to ${cidr}`,
      run: `R=$(${ip} route show ${cidr} | head -1); ${ip} route del ${cidr}`,
      undo: `${ip} route add $R`,
    },
    {
      title: `${node.netns}: ${cidr} via a gone address`,
      run: `R=$(${ip} route show ${cidr} | head -1); ${ip} route replace ${cidr} via 172.30.0.99 dev eth0`,
      undo: `${ip} route replace $R`,
    },
    {
      title: `${node.netns}: ${cidr} via the wrong node`,
      run: `R=$(${ip} route show ${cidr} | head -1); ${ip} route replace ${cidr} via 172.30.0.100 dev eth0`,
      undo: `${ip} route replace $R`,
    },
    {
      title: `${node.netns}: ${cidr} straight over the underlay`,
      run: `R=$(${ip} route show ${cidr} | head -1); ${ip} route replace ${cidr} via ${far.ip} dev eth0`,
      undo: `${ip} route replace $R`,
    },
    {
      title: `${node.netns}: blackhole for ${pod.ip}`,
      run: `${ip} route add blackhole ${pod.ip}/32 metric 7`,
      undo: `${ip} route del blackhole ${pod.ip}/32 metric 7`,
    },
    {
      title: `${node.netns}: unreachable half of ${cidr}`,
      run: `${ip} route add unreachable 10.244.${far.index}.0/25`,
      undo: `${ip} route del unreachable 10.244.${far.index}.0/25`,
    },
    {
      title: `${node.netns}: prohibit rule from pods`,
      run: `${ip} rule add from 10.244.0.0/16 to ${pod.ip} prohibit pref 77`,
      undo: `${ip} rule del pref 77`,
    },
    {
      title: `${node.netns}: pod sources in a table with only a default`,
      run: `${ip} route add default via 172.30.0.1 dev eth0 table 300; ${ip} rule add from 10.244.${node.index}.0/24 lookup 300 pref 300`,
      undo: `${ip} rule del pref 300; ${ip} route flush table 300`,
    },
    {
      title: `${node.netns}: rule by mark nobody sets`,
      run: `${ip} rule add fwmark 0x99 prohibit pref 78`,
      undo: `${ip} rule del pref 78`,
    },
    {
      title: `${pod.netns}: no default route`,
      run: `R=$(ip -n ${pod.netns} route show default | head -1); ip -n ${pod.netns} route del default`,
      undo: `ip -n ${pod.netns} route add $R`,
    },
    {
      title: `${pod.netns}: prefix of the whole pod network`,
      run: `R=$(ip -n ${pod.netns} route show default | head -1); ip -n ${pod.netns} addr add 10.244.77.77/16 dev eth0`,
      undo: `ip -n ${pod.netns} addr del 10.244.77.77/16 dev eth0; ip -n ${pod.netns} route replace $R`,
    },
  ])
}

function sysctl(rand: Random, w: World): Mutation {
  const node = rand.pick(w.nodes)
  const pod = rand.pick(w.pods)
  const tunnel = w.topology === 'calico' ? 'vxlan.calico' : w.topology === 'flannel' ? 'flannel/1' : 'eth0'
  const bridge = w.topology === 'calico' ? pod.veth : 'cni0'
  const at = w.topology === 'calico' && bridge === pod.veth ? pod.node : node
  // Not arp_ignore in a pod: whoever the pod itself asks learns its address, so questions asked together would help each other.
  const [netns, key, value] = rand.pick([
    [node.netns, 'net.ipv4.ip_forward', 0],
    [node.netns, `net.ipv4.conf.${tunnel}.forwarding`, 0],
    [at.netns, `net.ipv4.conf.${bridge}.forwarding`, 0],
    [node.netns, 'net.ipv4.conf.eth0.forwarding', 0],
    [node.netns, `net.ipv4.conf.${tunnel}.rp_filter`, rand.pick([1, 2])],
    [node.netns, 'net.ipv4.conf.all.rp_filter', rand.pick([1, 2])],
    [at.netns, `net.ipv4.conf.${bridge}.rp_filter`, 1],
    [node.netns, 'net.bridge.bridge-nf-call-iptables', 0],
    [at.netns, `net.ipv4.conf.${bridge}.proxy_arp`, rand.pick([0, 1])],
    [node.netns, 'net.ipv4.conf.all.arp_ignore', rand.pick([1, 2, 8])],
    [pod.netns, 'net.ipv4.icmp_echo_ignore_all', 1],
    [pod.netns, 'net.ipv4.conf.all.rp_filter', 1],
    [node.netns, 'net.ipv4.ip_default_ttl', rand.pick([1, 2, 3])],
    [pod.netns, 'net.ipv4.ip_default_ttl', rand.pick([1, 2, 3])],
  ] as const)
  return {
    title: `${netns}: ${key}=${value}`,
    run: `R=$(${inside(netns, `sysctl -n ${key}`)}); ${inside(netns, `sysctl -qw ${key}=${value}`)}`,
    undo: inside(netns, `sysctl -qw ${key}=$R`),
  }
}

function link(rand: Random, w: World): Mutation {
  const pod = rand.pick(w.pods)
  const node = pod.node.netns
  const bridged = w.topology !== 'calico'
  const port = `nsenter --net=/run/netns/${node} bridge link set dev ${pod.veth}`
  const options: Mutation[] = [
    {
      title: `${pod.netns}: eth0 down`,
      run: `R=$(ip -n ${pod.netns} route show default | head -1); ip -n ${pod.netns} link set eth0 down`,
      undo: `ip -n ${pod.netns} link set eth0 up; ip -n ${pod.netns} route replace \${R:-default} || ip -n ${pod.netns} route replace $R`,
    },
  ]
  if (bridged)
    options.push(
      {
        title: `${node}: ${pod.veth} down`,
        run: `ip -n ${node} link set ${pod.veth} down`,
        undo: `ip -n ${node} link set ${pod.veth} up`,
      },
      {
        title: `${node}: ${pod.veth} out of the bridge`,
        run: `ip -n ${node} link set ${pod.veth} nomaster`,
        undo: `ip -n ${node} link set ${pod.veth} master cni0; ${port} hairpin on`,
      },
      { title: `${node}: hairpin off at ${pod.veth}`, run: `${port} hairpin off`, undo: `${port} hairpin on` },
      { title: `${node}: ${pod.veth} isolated`, run: `${port} isolated on`, undo: `${port} isolated off` },
      { title: `${node}: ${pod.veth} disabled by STP state`, run: `${port} state 0`, undo: `${port} state 3` },
      {
        title: `${node}: two isolated ports`,
        run: `${port} isolated on; for v in $(ip -n ${node} -br link show master cni0 | awk '{split($1,a,"@"); print a[1]}' | head -2); do nsenter --net=/run/netns/${node} bridge link set dev $v isolated on; done`,
        undo: `for v in $(ip -n ${node} -br link show master cni0 | awk '{split($1,a,"@"); print a[1]}'); do nsenter --net=/run/netns/${node} bridge link set dev $v isolated off; done`,
      },
    )
  return rand.pick(options)
}

function overlay(rand: Random, w: World): Mutation | null {
  if (w.topology === 'hostgw') return null
  const dev = w.topology === 'calico' ? 'vxlan.calico' : 'flannel.1'
  const node = rand.pick(w.nodes)
  const far = rand.pick(w.nodes.filter((n) => n !== node))
  const mac = `$(ip -n ${far.netns} -br link show ${dev} | awk '{print $3}')`
  const b = (args: string) => inside(node.netns, `bridge fdb ${args}`)
  const entry = `M=${mac}; `
  return rand.pick<Mutation>([
    {
      title: `${node.netns}: no FDB entry for ${far.netns}`,
      run: `${entry}${b(`del $M dev ${dev} dst ${far.ip} self`)}`,
      undo: `${entry}${b(`append $M dev ${dev} dst ${far.ip} self permanent`)}`,
    },
    {
      title: `${node.netns}: FDB of ${far.netns} at a gone address`,
      run: `${entry}${b(`replace $M dev ${dev} dst 172.30.0.99 self permanent`)}`,
      undo: `${entry}${b(`replace $M dev ${dev} dst ${far.ip} self permanent`)}`,
    },
    {
      title: `${node.netns}: own VTEP MAC changed`,
      run: `R=$(ip -n ${node.netns} -br link show ${dev} | awk '{print $3}'); ip -n ${node.netns} link set ${dev} address 5e:00:00:00:77:77`,
      undo: `ip -n ${node.netns} link set ${dev} address $R`,
    },
    {
      title: `${node.netns}: wrong neighbour for ${far.netns}`,
      run: `ip -n ${node.netns} neigh replace 10.244.${far.index}.0 lladdr 5e:00:00:00:99:99 dev ${dev} nud permanent`,
      undo: `${entry}ip -n ${node.netns} neigh replace 10.244.${far.index}.0 lladdr $M dev ${dev} nud permanent`,
    },
    {
      title: `${node.netns}: VXLAN dropped on arrival`,
      run: inside(node.netns, 'iptables -t raw -I PREROUTING -p udp -m multiport --dports 8472,4789 -j DROP'),
      undo: inside(node.netns, 'iptables -t raw -D PREROUTING 1'),
    },
    {
      title: `${node.netns}: VXLAN dropped on leaving`,
      run: inside(node.netns, 'iptables -I OUTPUT -p udp -m multiport --dports 8472,4789 -j DROP'),
      undo: inside(node.netns, 'iptables -D OUTPUT 1'),
    },
  ])
}

function rule(rand: Random, w: World): Mutation {
  const pod = rand.pick(w.pods)
  const peer = rand.pick(w.pods)
  const netns = rand.weighted([
    [70, rand.pick(w.nodes).netns],
    [30, pod.netns],
  ])
  const match = rand.pick([
    `-s ${pod.ip}`,
    `-d ${pod.ip}`,
    `-s ${pod.ip} -d ${peer.ip}`,
    '-p tcp --dport 8080',
    '-p tcp --dport 9090 --syn',
    '-p udp --dport 53',
    '-p icmp',
    `-d 10.96.0.0/12`,
    `-s 10.244.0.0/16 ! -d 10.244.0.0/16`,
    '-m conntrack --ctstate NEW',
    '-m conntrack --ctstate INVALID',
    '-m conntrack --ctstate ESTABLISHED,RELATED',
    '-m conntrack --ctstate DNAT',
    '-i cni0',
    '-p sctp',
    `-m addrtype --dst-type LOCAL`,
    '-m mark --mark 0x4000/0x4000',
    `-m physdev --physdev-in ${pod.veth}`,
    '! -s 172.30.0.0/24',
    '-p tcp --tcp-flags SYN,ACK SYN,ACK',
  ])
  const [table, chain] = rand.pick([
    ['filter', 'FORWARD'],
    ['filter', 'FORWARD'],
    ['filter', 'INPUT'],
    ['filter', 'OUTPUT'],
    ['raw', 'PREROUTING'],
    ['mangle', 'POSTROUTING'],
    ['mangle', 'FORWARD'],
  ])
  const allowed =
    match.startsWith('-i') && (chain === 'OUTPUT' || chain === 'POSTROUTING')
      ? '-s 10.244.0.0/16'
      : chain === 'OUTPUT' && match.includes('physdev')
        ? `-s ${pod.ip}`
        : table === 'raw' && match.includes('ctstate')
          ? `-d ${pod.ip}`
          : match
  const target = rand.pick(
    table === 'filter'
      ? [
          'DROP',
          'DROP',
          'REJECT',
          'REJECT --reject-with icmp-host-prohibited',
          'ACCEPT',
          ...(match.includes('-p tcp') ? ['REJECT --reject-with tcp-reset'] : []),
        ]
      : ['DROP', 'ACCEPT'],
  )
  const spec = `-t ${table} -I ${chain} 1 ${allowed} -j ${target}`
  return {
    title: `${netns}: iptables ${spec}`,
    run: inside(netns, `iptables ${spec}`),
    undo: inside(netns, `iptables -t ${table} -D ${chain} 1`),
  }
}

function nat(rand: Random, w: World): Mutation {
  const pod = rand.pick(w.pods)
  const node = rand.pick(w.nodes).netns
  const nft = (text: string, title: string): Mutation => ({
    title: `${node}: nft ${title}`,
    run: `printf '%s' '${text}' | ${inside(node, 'nft -f -')}`,
    undo: inside(node, 'nft delete table inet mutation'),
  })
  return rand.pick<Mutation>([
    {
      title: `${node}: NOTRACK for services`,
      run: inside(node, 'iptables -t raw -I PREROUTING -d 10.96.0.0/12 -j CT --notrack'),
      undo: inside(node, 'iptables -t raw -D PREROUTING 1'),
    },
    {
      title: `${node}: port 8080 to ${pod.ip}:9090`,
      run: inside(
        node,
        `iptables -t nat -I PREROUTING -p tcp -d 10.244.0.0/16 --dport 8080 -j DNAT --to-destination ${pod.ip}:9090`,
      ),
      undo: inside(node, 'iptables -t nat -D PREROUTING 1'),
    },
    {
      title: `${node}: everything masqueraded`,
      run: inside(node, 'iptables -t nat -I POSTROUTING -j MASQUERADE'),
      undo: inside(node, 'iptables -t nat -D POSTROUTING 1'),
    },
    {
      title: `${node}: source of pods rewritten`,
      run: inside(node, 'iptables -t nat -I POSTROUTING -s 10.244.0.0/16 -j SNAT --to-source 172.30.0.55'),
      undo: inside(node, 'iptables -t nat -D POSTROUTING 1'),
    },
    {
      title: `${node}: service mark cleared`,
      run: inside(node, 'iptables -t mangle -I PREROUTING -j MARK --set-mark 0x4000'),
      undo: inside(node, 'iptables -t mangle -D PREROUTING 1'),
    },
    nft(
      `table inet mutation { chain f { type filter hook forward priority 10; policy accept; ip daddr ${pod.ip} drop; } }`,
      `drop to ${pod.ip} after filter`,
    ),
    nft(
      `table inet mutation { chain f { type filter hook forward priority -5; policy drop; ct state established accept; ip saddr 10.244.0.0/16 tcp dport { 8080, 53 } accept; } }`,
      'policy drop before filter',
    ),
    nft(
      `table inet mutation { chain p { type filter hook prerouting priority -150; fib saddr . iif oif missing drop; } }`,
      'reverse path by fib',
    ),
    nft(
      `table inet mutation { set s { type ipv4_addr; flags interval; elements = { 10.244.2.0/24 } } chain p { type filter hook postrouting priority 50; ip saddr @s ip daddr != @s meta l4proto tcp reject with tcp reset; } }`,
      'nothing in postrouting',
    ),
  ])
}

/** One random change to the world. */
export function randomMutation(rand: Random, w: World): Mutation {
  for (;;) {
    const make = rand.weighted([
      [25, route],
      [20, sysctl],
      [15, link],
      [15, overlay],
      [20, rule],
      [12, nat],
    ] as const)
    const m = make(rand, w)
    if (m) return m
  }
}
