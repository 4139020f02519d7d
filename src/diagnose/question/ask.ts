import { formatIp } from '../../base/ip.ts'
import { protocolNumber } from '../../base/protocol.ts'
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { Network } from '../../model/network.ts'
import type { Source } from '../inquiry.ts'
import type { Asked } from './asked.ts'
import { parseReference, type Reference, referenceText } from './reference.ts'
import { QuestionError, resolveSources, resolveTargets } from './resolve.ts'

export interface AskOptions {
  readonly from: string
  readonly to: string
  /** tcp, udp, icmp or sctp; absent: the one of the Service port asked for, else tcp. */
  readonly protocol?: string
  /** Overrides the port at the end of `to`. */
  readonly port?: string
  readonly sourcePort?: number
  readonly namespace: string
}

const PROTOCOLS = ['tcp', 'udp', 'icmp', 'sctp']

function families(network: Network, source: Source): Set<4 | 6> {
  if (source.ip) return new Set([source.ip.family])
  const netns = source.netns === null ? undefined : network.netns.get(source.netns)
  if (!netns) return new Set([4, 6])
  const out = new Set<4 | 6>()
  for (const l of netns.links)
    for (const a of l.addresses)
      if (l.kind !== 'loopback' && !(a.ip.family === 6 && a.scope === 'link')) out.add(a.ip.family)
  return out
}

/** The protocol of the Service port that `port` names, when it names one and that has only one; else tcp. */
function impliedProtocol(objects: KubeObjects, to: Reference, port: string | null): string {
  if (to.kind !== 'service' || port === null) return 'tcp'
  const service = objects.services.find((s) => s.meta.namespace === to.namespace && s.meta.name === to.name)
  const fitting = service?.ports.filter((p) => p.name === port || String(p.port) === port) ?? []
  const protocols = new Set(fitting.map((p) => p.protocol.toLowerCase()))
  return protocols.size === 1 ? ([...protocols][0] ?? 'tcp') : 'tcp'
}

/**
 * Names resolved to senders, addresses and ports.
 * @throws QuestionError (code 2) for what is not there, ambiguous or not understood
 */
export function ask(network: Network, objects: KubeObjects, options: AskOptions): Asked {
  const from = parseReference(options.from, options.namespace, objects)
  if (typeof from === 'string') throw new QuestionError(from)
  const to = parseReference(options.to, options.namespace, objects)
  if (typeof to === 'string') throw new QuestionError(to)
  const name = options.protocol?.toLowerCase() ?? impliedProtocol(objects, to.reference, options.port ?? to.port)
  const protocol = PROTOCOLS.includes(name) ? protocolNumber(name) : null
  if (protocol === null)
    throw new QuestionError(`--protocol ${options.protocol ?? name}: must be tcp, udp, icmp or sctp`)
  const all = resolveSources(network, objects, from.reference)
  const has = all[0] ? families(network, all[0]) : new Set<4 | 6>()
  const family = has.has(4) ? 4 : has.has(6) ? 6 : null
  const port = options.port ?? to.port
  const resolved = resolveTargets({ network, objects, protocol, port, family }, to.reference, options.to, all[0])
  const sources = all.filter(
    (s) => !s.ip || resolved.targets.length === 0 || resolved.targets.some((t) => t.ip.family === s.ip?.family),
  )
  if (sources.length === 0)
    throw new QuestionError(
      `${options.from} has no address of the family of ${resolved.targets[0] ? formatIp(resolved.targets[0].ip) : options.to}`,
    )
  return {
    question: {
      from: referenceText(from.reference),
      to: referenceText(to.reference),
      protocol: name,
      port: resolved.port,
    },
    protocol,
    sourcePort: options.sourcePort ?? 0,
    sources,
    targets: resolved.targets,
    nameservers: resolved.nameservers,
    ...(resolved.unresolved === undefined ? {} : { unresolved: resolved.unresolved }),
  }
}
