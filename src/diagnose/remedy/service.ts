/**
 * What-if for a Service: kube-proxy's iptables rules on every node as they will be when the object is changed. Source of the shapes:
 * pkg/proxy/iptables/proxier.go (syncProxyRules), the same in all releases that are supported. Nodes whose kube-proxy writes nftables or
 * IPVS are left as they are, so that such a remedy stays untried there.
 */
import { type Ip, ipEquals, parseIp } from '../../base/ip.ts'
import { protocolNumber } from '../../base/protocol.ts'
import type { KubeObjects, PodObject, ServiceObject, ServicePort } from '../../kubeobj/objects.ts'
import type { Netns, Network } from '../../model/network.ts'
import type { Chain, Match, Rule, RulePart, Ruleset, Table } from '../../model/ruleset.ts'
import { addressMatch, proposedRule } from './edit.ts'

export interface WantedEndpoint {
  readonly ip: Ip
  readonly port: number
}

/** KUBE-MARK-MASQ: `--or-mark 0x4000`. */
const MASQUERADE = { kind: 'setMark', of: 'packet', value: 0x4000, mask: 0x4000 } as const

/** Ready pods with these labels, and the port each gives to `targetPort`. */
export function endpointsOfPods(
  objects: KubeObjects,
  service: ServiceObject,
  selector: Readonly<Record<string, string>>,
  targetPort: number | string,
): WantedEndpoint[] {
  const portOf = (p: PodObject) =>
    typeof targetPort === 'number'
      ? targetPort
      : p.containers.flatMap((c) => c.ports).find((x) => x.name === targetPort)?.containerPort
  return objects.pods.flatMap((p) => {
    const ip = parseIp(p.podIPs[0] ?? '')
    const port = portOf(p)
    const ready = p.conditions.some((c) => c.type === 'Ready' && c.status === 'True')
    const mine =
      p.meta.namespace === service.meta.namespace && Object.entries(selector).every(([k, v]) => p.meta.labels[k] === v)
    return ip && port !== undefined && ready && mine ? [{ ip, port }] : []
  })
}

function isFor(rule: Rule, ip: Ip | null, port: number): boolean {
  const at = rule.parts.some(
    (p) => p.kind === 'address' && p.side === 'dst' && !p.negate && ip !== null && ipEquals(p.addr, ip),
  )
  const to = rule.parts.some(
    (p) => p.kind === 'port' && p.side === 'dst' && !p.negate && p.ranges.some(([a, b]) => a === port && b === port),
  )
  return to && (ip === null || at)
}

const turnsAway = (rule: Rule) =>
  rule.parts.some((p) => p.kind === 'reject' || (p.kind === 'verdict' && p.verdict.kind === 'drop'))

const withRules = (chain: Chain, change: (rules: readonly Rule[]) => readonly Rule[]): Chain => {
  const rules = change(chain.rules())
  return { ...chain, rules: () => rules }
}

function chains(service: string, endpoints: readonly WantedEndpoint[]): Chain[] {
  const made = (name: string, rules: readonly Rule[]): Chain => ({ name, line: 0, rules: () => rules })
  const name = (i: number) => `what-if ${service} ${i}`
  const choice = endpoints.map((_, i): Rule => {
    const chance: Match[] =
      i < endpoints.length - 1 ? [{ kind: 'random', probability: 1 / (endpoints.length - i), negate: false }] : []
    return proposedRule(`-A "what-if ${service}" -j "${name(i)}"`, chance, {
      kind: 'verdict',
      verdict: { kind: 'jump', chain: name(i) },
    })
  })
  return [
    made(`what-if ${service}`, choice),
    ...endpoints.map((e, i) =>
      made(name(i), [
        proposedRule(
          '-j KUBE-MARK-MASQ',
          [addressMatch('src', { ip: e.ip, length: e.ip.family === 4 ? 32 : 128 })],
          MASQUERADE,
        ),
        proposedRule('-j DNAT', [], {
          kind: 'nat',
          type: 'dnat',
          address: { kind: 'range', from: e.ip, to: e.ip },
          port: { kind: 'range', from: e.port, to: e.port },
          random: false,
          persistent: false,
        }),
      ]),
    ),
  ]
}

function changedTable(
  table: Table,
  service: ServiceObject,
  port: ServicePort,
  endpoints: readonly WantedEndpoint[],
): Table {
  const family = table.family === 'ip6' ? 6 : 4
  const clusterIP = service.clusterIPs.map(parseIp).find((ip) => ip?.family === family)
  const protocol = protocolNumber(port.protocol)
  if (!clusterIP || protocol === null || (table.family !== 'ip' && table.family !== 'ip6')) return table
  const next = new Map(table.chains)
  const edit = (name: string, change: (rules: readonly Rule[]) => readonly Rule[]) => {
    const chain = next.get(name)
    if (chain) next.set(name, withRules(chain, change))
  }
  const mine = (r: Rule, ip: Ip | null, number: number) =>
    isFor(r, ip, number) && r.parts.some((p) => p.kind === 'protocol' && p.protocol === protocol)
  const node = port.nodePort
  if (table.name === 'filter') {
    edit('KUBE-SERVICES', (rules) => rules.filter((r) => !(turnsAway(r) && mine(r, clusterIP, port.port))))
    if (node) edit('KUBE-EXTERNAL-SERVICES', (rules) => rules.filter((r) => !(turnsAway(r) && mine(r, null, node))))
  }
  if (table.name === 'nat' && next.has('KUBE-SERVICES')) {
    const name = `${service.meta.namespace}/${service.meta.name}:${port.port}`
    for (const c of chains(name, endpoints)) next.set(c.name, c)
    const to = (matches: readonly Match[], number: number): Match[] => [
      ...matches,
      { kind: 'protocol', protocol, negate: false },
      { kind: 'port', side: 'dst', ranges: [[number, number]], protocols: [protocol], negate: false },
    ]
    const jump: RulePart = { kind: 'verdict', verdict: { kind: 'jump', chain: `what-if ${name}` } }
    const full = family === 4 ? 32 : 128
    edit('KUBE-SERVICES', (rules) => [
      proposedRule(`-j "what-if ${name}"`, to([addressMatch('dst', { ip: clusterIP, length: full })], port.port), jump),
      ...rules.filter((r) => !mine(r, clusterIP, port.port)),
    ])
    if (node)
      edit('KUBE-NODEPORTS', (rules) => [
        proposedRule('-j KUBE-MARK-MASQ', to([], node), MASQUERADE),
        proposedRule(`-j "what-if ${name}"`, to([], node), jump),
        ...rules.filter((r) => !mine(r, null, node)),
      ])
  }
  return { ...table, chains: next }
}

/** Every node's iptables rules of kube-proxy with these endpoints behind the Service port, on all its frontends. */
export function withServiceEndpoints(
  network: Network,
  service: ServiceObject,
  port: ServicePort,
  endpoints: readonly WantedEndpoint[],
): Network {
  const isProxys = (r: Ruleset) =>
    r.backend !== 'nft' && r.tables.some((t) => t.name === 'nat' && t.chains.has('KUBE-SERVICES'))
  const hosts = [...network.netns.values()].filter((n) => n.kind === 'host')
  if (endpoints.length === 0 || hosts.length === 0 || !hosts.every((n) => n.rulesets.some(isProxys))) return network
  const netns = new Map(network.netns)
  for (const host of hosts) {
    const changed: Netns = {
      ...host,
      rulesets: host.rulesets.map((r) =>
        isProxys(r) ? { ...r, tables: r.tables.map((t) => changedTable(t, service, port, endpoints)) } : r,
      ),
    }
    netns.set(host.id, changed)
  }
  return { ...network, netns }
}
