/**
 * What-if: the node's kube-proxy has written its rules anew. The rules the objects ask for, in neutral form, stand in front of
 * whatever the node has now, so stale ones no longer decide and missing ones are there.
 */
import { maskOf, type Prefix, parseIp, parsePrefix } from '../../base/ip.ts'
import { protocolNumber } from '../../base/protocol.ts'
import {
  type ExpectedServicePort,
  expectedServices,
  type Frontend,
  type ServiceEndpoint,
} from '../../intent/service/index.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { Network } from '../../model/network.ts'
import type { BaseChain, Chain, Match, Rule, Ruleset, Statement, Table } from '../../model/ruleset.ts'
import { podRanges } from '../view/owner.ts'

/** kube-proxy's default mark (`--iptables-masquerade-bit 14`). */
const MARK = 0x4000
/** Just ahead of the priorities every other NAT chain of the node has (NF_IP_PRI_NAT_DST, NF_IP_PRI_NAT_SRC). */
const BEFORE_DNAT = -101
const BEFORE_SNAT = 99

type Part = Match | Statement

/** The network with these rules on the node; the same network when the node uses IPVS, or nothing is known of it. */
export function withExpectedRules(network: Network, objects: KubeObjects, node: string): Network {
  const id = network.nodes.get(node)?.host
  const host = id === undefined ? undefined : network.netns.get(id)
  if (!host || host.ipvs.length > 0) return network
  const services = expectedServices(objects, node)
  const ranges = podRanges(objects).map((r) => r.range)
  const tables = ([4, 6] as const).map((family) =>
    tableOf(
      family,
      services.filter((s) => s.family === family),
      ranges.filter((r) => r.ip.family === family),
    ),
  )
  const expected: Ruleset = { backend: 'nft', artefact: 'what-if', tables, issues: [] }
  return {
    ...network,
    netns: new Map(network.netns).set(host.id, { ...host, rulesets: [...host.rulesets, expected] }),
  }
}

function tableOf(family: 4 | 6, services: readonly ExpectedServicePort[], pods: readonly Prefix[]): Table {
  const chains = new Map<string, Chain>()
  const chain = (name: string, rules: readonly Rule[], base?: BaseChain) =>
    chains.set(name, { name, line: 0, rules: () => rules, ...(base ? { base } : {}) })
  const nat = (hook: BaseChain['hook'], priority: number): BaseChain => ({
    hook,
    type: 'nat',
    priority,
    policy: 'accept',
  })
  const dispatch: Rule[] = []
  services.forEach((s, i) => {
    const chainOf = (e: ServiceEndpoint) => `${i} to ${e.text}`
    for (const e of s.reachable) chain(chainOf(e), translate(e))
    for (const kind of ['cluster', 'local'] as const) chain(`${i} ${kind}`, balance(s[kind], chainOf))
    chain(`${i} inner`, inner(s, `${i} ${s.internalLocal ? 'local' : 'cluster'}`, pods))
    chain(`${i} outer`, outer(s, i, pods))
    for (const f of s.frontends)
      dispatch.push(...dispatches(s, f, `${i} ${f.kind === 'clusterIP' ? 'inner' : 'outer'}`))
  })
  chain('services', dispatch)
  chain('prerouting', [rule(jump('services'))], nat('prerouting', BEFORE_DNAT))
  chain('output', [rule(jump('services'))], nat('output', BEFORE_DNAT))
  const marked: Match = { kind: 'mark', of: 'packet', value: MARK, mask: MARK, negate: false }
  chain(
    'postrouting',
    [rule(marked, { kind: 'masquerade', port: null, random: true })],
    nat('postrouting', BEFORE_SNAT),
  )
  return { family: family === 4 ? 'ip' : 'ip6', name: 'netwhy-expected', chains, sets: new Map() }
}

const rule = (...parts: Part[]): Rule => ({ line: 0, text: 'a rule kube-proxy should have written', parts })
const jump = (chain: string): Statement => ({ kind: 'verdict', verdict: { kind: 'jump', chain } })
const goto = (chain: string): Statement => ({ kind: 'verdict', verdict: { kind: 'goto', chain } })
const setMark: Statement = { kind: 'setMark', of: 'packet', value: MARK, mask: MARK }

function within(side: 'src' | 'dst', { ip, length }: Prefix): Match {
  return { kind: 'address', side, addr: ip, mask: maskOf(ip.family, length), negate: false }
}

function dispatches(s: ExpectedServicePort, f: Frontend, chain: string): Rule[] {
  const protocol = protocolNumber(s.protocol)
  if (protocol === null) return []
  const ip = f.address === null ? null : parseIp(f.address)
  const where: Match = ip
    ? within('dst', { ip, length: ip.family === 4 ? 32 : 128 })
    : { kind: 'addressType', side: 'dst', types: ['local'], limit: null, negate: false }
  const port: Match = { kind: 'port', side: 'dst', ranges: [[f.port, f.port]], protocols: [protocol], negate: false }
  const match: Part[] = [where, { kind: 'protocol', protocol, negate: false }, port]
  const ranges = f.kind === 'loadBalancerIP' ? s.sourceRanges.map(parsePrefix).filter((p) => p !== null) : []
  if (ranges.length === 0) return [rule(...match, goto(chain))]
  return ranges.map((r) => rule(...match, within('src', r), goto(chain)))
}

/** To the cluster address: who is no pod of the cluster is masqueraded. */
function inner(s: ExpectedServicePort, to: string, pods: readonly Prefix[]): Rule[] {
  if ((s.internalLocal ? s.local : s.cluster).length === 0) return []
  return [...pods.map((p) => rule(within('src', p), goto(to))), rule(setMark), rule(goto(to))]
}

/** To an address the outside uses: all are masqueraded; with policy Local outsiders are not, and stay on the node. */
function outer(s: ExpectedServicePort, i: number, pods: readonly Prefix[]): Rule[] {
  const all = `${i} cluster`
  if (!s.externalLocal) return [rule(setMark), rule(goto(all))]
  const own: Match = { kind: 'addressType', side: 'src', types: ['local'], limit: null, negate: false }
  return [
    ...pods.map((p) => rule(within('src', p), goto(all))),
    rule(own, setMark, goto(all)),
    rule(goto(`${i} local`)),
  ]
}

/** Each endpoint its even share. */
function balance(endpoints: readonly ServiceEndpoint[], chainOf: (e: ServiceEndpoint) => string): Rule[] {
  return endpoints.map((e, i) => {
    const rest = endpoints.length - i
    const chance: Part[] = rest === 1 ? [] : [{ kind: 'random', probability: 1 / rest, negate: false }]
    return rule(...chance, goto(chainOf(e)))
  })
}

/** An endpoint that reaches itself is masqueraded. */
function translate({ ip, port }: ServiceEndpoint): Rule[] {
  return [
    rule(within('src', { ip, length: ip.family === 4 ? 32 : 128 }), setMark),
    rule({
      kind: 'nat',
      type: 'dnat',
      address: { kind: 'range', from: ip, to: ip },
      port: { kind: 'range', from: port, to: port },
      random: false,
      persistent: false,
    }),
  ]
}
