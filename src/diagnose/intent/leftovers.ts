/** Frontends the node still serves although no Service has them any more. Names lead to candidates; what they do decides. */
import { formatEndpoint, type Ip, parseIp } from '../../base/ip.ts'
import { protocolNumber } from '../../base/protocol.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { Netns, Network } from '../../model/network.ts'
import type { NamedSet, Rule } from '../../model/ruleset.ts'
import { aroundRules, type Frontage, type Lead, leadOf } from './lead.ts'
import { sendersOf } from './sender.ts'

export interface Leftover {
  readonly front: Frontage
  readonly lead: Lead
}

/** More candidates than this are not asked about. */
const MOST = 2000

/** Null when the list of Services is not a whole one: `default/kubernetes` is in every cluster's. */
export function leftoversOf(network: Network, objects: KubeObjects, host: Netns): Leftover[] | null {
  const whole = objects.services.some((s) => s.meta.namespace === 'default' && s.meta.name === 'kubernetes')
  if (!whole) return null
  const claimed = claimedFrontends(objects)
  const around = aroundRules(host)
  const senders = { 4: sendersOf(network, objects, host, 4), 6: sendersOf(network, objects, host, 6) }
  const seen = new Set<string>()
  const out: Leftover[] = []
  for (const front of candidates(host)) {
    const key = keyOf(front)
    if (claimed.has(key) || seen.has(key) || seen.size >= MOST) continue
    seen.add(key)
    const { pod, outside } = senders[front.ip.family]
    const sender = pod ?? outside
    const lead = sender ? leadOf(around, host, front, sender) : null
    if (lead && lead.unknown === 0 && lead.targets.length > 0) out.push({ front, lead })
  }
  return out
}

const keyOf = (f: Frontage) => `${f.protocol} ${formatEndpoint(f.ip, f.port)}`

const claims = new WeakMap<KubeObjects, ReadonlySet<string>>()

function claimedFrontends(objects: KubeObjects): ReadonlySet<string> {
  const known = claims.get(objects)
  if (known) return known
  const out = new Set<string>()
  for (const s of objects.services) {
    const addresses = [...s.clusterIPs, ...s.externalIPs, ...s.loadBalancerIngress.map((i) => i.ip ?? '')]
    for (const text of addresses) {
      const ip = parseIp(text)
      if (!ip) continue
      for (const p of s.ports) {
        const protocol = protocolNumber(p.protocol)
        if (protocol !== null) out.add(keyOf({ ip, protocol, port: p.port }))
      }
    }
  }
  claims.set(objects, out)
  return out
}

/** Exact frontends that KUBE-SERVICES, the map service-ips or IPVS name. Node ports are left out: other software has them too. */
function* candidates(host: Netns): Generator<Frontage> {
  for (const ruleset of host.rulesets)
    for (const table of ruleset.tables) {
      if (table.name === 'nat')
        for (const rule of table.chains.get('KUBE-SERVICES')?.rules() ?? []) {
          const front = frontOfRule(rule)
          if (front) yield front
        }
      const map = table.name === 'kube-proxy' ? table.sets.get('service-ips') : undefined
      if (map) yield* frontsOfMap(map)
    }
  const held = new Set(host.links.find((l) => l.name === 'kube-ipvs0')?.addresses.map((a) => formatEndpoint(a.ip)))
  for (const s of host.ipvs)
    if (s.address && held.has(formatEndpoint(s.address))) yield { ip: s.address, protocol: s.protocol, port: s.port }
}

function frontOfRule(rule: Rule): Frontage | null {
  let ip: Ip | null = null
  let protocol: number | null = null
  let port: number | null = null
  for (const part of rule.parts) {
    if (part.kind === 'address' && part.side === 'dst' && !part.negate && isHost(part.mask)) ip = part.addr
    else if (part.kind === 'protocol' && !part.negate) protocol = part.protocol
    else if (part.kind === 'port' && part.side === 'dst' && !part.negate && part.ranges.length === 1) {
      const [from, to] = part.ranges[0]!
      if (from === to) port = from
    }
  }
  return ip && protocol !== null && port !== null ? { ip, protocol, port } : null
}

function isHost(mask: Ip): boolean {
  return (
    mask.d === 0xffffffff &&
    (mask.family === 4 || (mask.a === 0xffffffff && mask.b === 0xffffffff && mask.c === 0xffffffff))
  )
}

function* frontsOfMap(map: NamedSet): Generator<Frontage> {
  for (const e of map.elements()) {
    const [ip, protocol, port] = e.key.map((k) => k.from)
    if (e.opaque !== undefined || typeof ip !== 'object' || typeof port !== 'number') continue
    const number =
      typeof protocol === 'number' ? protocol : typeof protocol === 'string' ? protocolNumber(protocol) : null
    if (number !== null) yield { ip, protocol: number, port }
  }
}
