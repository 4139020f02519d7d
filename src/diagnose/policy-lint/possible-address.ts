/**
 * DNS pods of manifests have no address yet, and so whether an ipBlock holds them would always be unknown. They get every
 * address they could have as far as the blocks tell apart: a public block or a Service's address holds none of them.
 */
import { addToIp, formatIp, type Prefix, parseIp, prefixContains, prefixesOverlap } from '../../base/ip.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import { PRIVATE, serviceRanges } from './blocks.ts'
import type { DnsServers } from './dns-servers.ts'
import { type LintWorld, rulesOf } from './input.ts'

/** Most blocks told apart; with more the addresses stay unknown. */
const MOST_BLOCKS = 500
/** TEST-NET-2 (RFC 5737), in no block but those for everything. */
const ELSEWHERE = '198.51.100.7'

export function withPossibleAddresses(objects: KubeObjects, world: LintWorld, servers: DnsServers): KubeObjects {
  if (servers.pods.every((p) => p.podIPs.length > 0)) return objects
  const ranges = serviceRanges(objects)
  const services = objects.services.flatMap((s) => s.clusterIPs.flatMap((text) => parseIp(text) ?? []))
  const blocks = world.policies.flatMap((p) =>
    rulesOf(p.policy).flatMap((at) => (at.rule.peers ?? []).flatMap((x) => (x.kind === 'ipBlock' ? [x.cidr] : []))),
  )
  if (blocks.length > 10_000) return objects
  const mayHold = (b: Prefix) =>
    b.length > 0 &&
    PRIVATE.some((range) => prefixesOverlap(range, b)) &&
    !ranges.some((r) => r.length <= b.length && prefixContains(r, b.ip)) &&
    !(isHost(b) && services.some((ip) => prefixContains(b, ip)))
  const possible = new Set(blocks.filter(mayHold).map((b) => formatIp(isHost(b) ? b.ip : addToIp(b.ip, 1))))
  if (possible.size > MOST_BLOCKS) return objects
  const addresses = [ELSEWHERE, ...possible]
  return {
    ...objects,
    pods: objects.pods.map((p) =>
      servers.pods.includes(p) && p.podIPs.length === 0 ? { ...p, podIPs: addresses } : p,
    ),
  }
}

const isHost = (b: Prefix) => b.length === (b.ip.family === 4 ? 32 : 128)
