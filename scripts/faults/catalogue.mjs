// What the fault catalogue says about each lab case: how to inject it, and the command that shows it broken.
import { readFileSync } from 'node:fs'

/**
 * @typedef {{ command: string, expect: RegExp }} Check   a line for the lab's shell and what its output matches
 * @typedef {{ title: string, inject: string, before: Check | null, broken: Check | null }} Fault
 * @typedef {{ id: string, from: string, to: string, protocol: string, codes: string[] }} Case
 */

/** @returns {Map<string, Fault>} by id; cases without shell steps are left out */
export function readCatalogue(file) {
  const out = new Map()
  for (const [, id, title, body] of readFileSync(file, 'utf8').matchAll(
    /^### (F\d+) ([^\n]*)\n([\s\S]*?)(?=^### |(?![\s\S]))/gm,
  )) {
    const inject = /```sh\n([\s\S]*?)```/.exec(body)?.[1]
    if (inject === undefined) continue
    const line = /- \*\*check\*\*: (.*)/.exec(body)?.[1] ?? ''
    const checks = [...line.matchAll(/(before|after(?:, contrast| \(still healthy\))?): `(.*?)` => `(.*?)`/g)].map(
      ([, when, command, expect]) => ({ when, command, expect: new RegExp(expect) }),
    )
    out.set(id, {
      title,
      inject,
      before: checks.find((c) => c.when === 'before') ?? null,
      broken: checks.find((c) => c.when === 'after') ?? null,
    })
  }
  return out
}

/** @returns {Case[]} the questions asked, one per line: id, from, to, protocol, accepted codes */
export function readQuestions(file) {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((l) => l && !l.startsWith('#'))
    .map((l) => {
      const [id, from, to, protocol, codes] = l.split('\t')
      return { id, from, to, protocol, codes: codes.split(',') }
    })
}

/** Real packets where the catalogue's check reads an object or an address instead of sending any. */
const PACKETS = {
  // A pod on the bridge asks on the bridge for 10.244.1.77, which is not there: that pair works on no lab. Another node's pod does.
  F046: { command: 't x-cali 10.244.2.20 8080 5', expect: /NOROUTE|TIMEOUT/ },
  F047: { command: 't x-cali 10.244.2.20 8080 5', expect: /NOROUTE|TIMEOUT/ },
  F002: {
    command:
      'X node1 curl -s -m 2 http://$($PY -c \'import json,os;print(json.load(open(os.environ["LAB"]+"/api/node_node2.json"))["status"]["addresses"][0]["address"])\'):10250/',
    expect: /^node1|^$/,
  },
  F130: { command: 'X client1 ping -6 -c1 -W1 fd00:10:244:2::66', expect: /0 received|100% packet loss|nreachable/ },
}

/** The command that shows the connection broken, and the output that means so. */
export function brokenCheck(id, fault) {
  return PACKETS[id] ?? fault.broken
}

/**
 * How the same question is asked of the healthy lab: prepares what the question names and the injection would have made.
 */
const CALICO = `ip netns add x-cali; ip -n node1 link add cali01 type veth peer name eth0 netns x-cali; ip -n node1 link set cali01 address ee:ee:ee:ee:ee:ee up; X node1 sysctl -qw net.ipv4.conf.cali01.proxy_arp=1 net.ipv4.neigh.cali01.proxy_delay=0
ip -n x-cali addr add 10.244.1.77/32 dev eth0; ip -n x-cali link set eth0 up; ip -n x-cali route add 169.254.1.1 dev eth0; ip -n x-cali route add default via 169.254.1.1; ip -n node1 route add 10.244.1.77 dev cali01`
const HOSTPORT = `K patch pod/web2 '{"spec":{"hostPorts":{"8081":8080}}}'
X node2 iptables -t nat -N CNI-HOSTPORT-DNAT; X node2 iptables -t nat -A CNI-HOSTPORT-DNAT -p tcp --dport 8081 -j DNAT --to-destination 10.244.2.20:8080; X node2 iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT`
export const HEALTHY = {
  F011: HOSTPORT,
  F012: HOSTPORT,
  F045: `ip netns add x-vpn; ip -n ext link add wg0 mtu 1500 type veth peer name eth0 mtu 1500 netns x-vpn; ip -n ext addr add 10.99.0.1/24 dev wg0; ip -n ext link set wg0 up
ip -n x-vpn addr add 10.99.0.2/24 dev eth0; ip -n x-vpn link set eth0 up; ip -n x-vpn route add default via 10.99.0.1`,
  F046: CALICO,
  F047: CALICO,
  F085: `K apply namespace/monitoring '{"kind":"Namespace","metadata":{"name":"monitoring","labels":{"kubernetes.io/metadata.name":"monitoring","name":"monitoring"}}}'
K patch pod/client1 '{"metadata":{"namespace":"monitoring"}}'
K apply networkpolicy/web-mon '{"kind":"NetworkPolicy","metadata":{"name":"web-mon"},"spec":{"podSelector":{"matchLabels":{"app":"web"}},"policyTypes":["Ingress"],"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"monitoring"}}}]}]}}'
npol ingress web2 node2 "-s 10.244.1.10"`,
  F084: `K apply networkpolicy/web-80 '{"kind":"NetworkPolicy","metadata":{"name":"web-80"},"spec":{"podSelector":{"matchLabels":{"app":"web"}},"policyTypes":["Ingress"],"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"client"}}}],"ports":[{"protocol":"TCP","port":8080}]}]}}'
npol ingress web2 node2 "-s 10.244.0.0/16 -p tcp --dport 8080"`,
  F112: `K patch pod/client1 '{"metadata":{"namespace":"ingress-nginx","labels":{"app":"ingress-nginx"}}}'`,
  F118: 'ip -n ext addr add 192.168.50.100/24 dev eth0',
  F119: 'ip -n ext addr add 172.17.9.9/32 dev lo',
  F130: 'v6up; ip -n client2 addr add fd00:10:244:2::66/64 dev eth0 nodad; X client2 $PY $LAB/httpd6.py 8086 >/dev/null 2>&1 & echo $! >> $LAB/pids; sleep 0.5',
}

/** Questions that differ on the healthy lab because the fault itself is in the question. */
export const HEALTHY_QUESTION = {
  F046: { to: '10.244.2.20:8080' },
  F047: { to: '10.244.2.20:8080' },
  F092: { to: '10.96.0.10:53' },
}

/** Senders in no inventory: even on the healthy lab their own half of the way is unknown, and netwhy says so. */
export const UNSEEN = new Set(['F018', 'F046', 'F047'])

/**
 * No healthy form. F124: whether the client's router sends to the right node is not on the nodes; netwhy tells what each choice would do,
 * with the fault and without it.
 */
export const NO_HEALTHY_FORM = new Set(['F124'])

/** Lines for the lab's shell that make the healthy counterpart of a case. */
export function healthyLab(id, fault) {
  if (HEALTHY[id] !== undefined) return HEALTHY[id]
  return /^v6up\b/m.test(fault.inject) ? 'v6up' : 'true'
}

/** Faults that break no connection yet: doctor must name them. */
export const DOCTOR = { F010: ['pod-cidr-missing'] }
