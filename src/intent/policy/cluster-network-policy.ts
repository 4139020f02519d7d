/** ClusterNetworkPolicy (policy.networking.k8s.io/v1alpha2 and v1beta1, network-policy-api v0.2). */
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { Issue } from '../../model/evidence.ts'
import { priorityOf } from './admin.ts'
import type { PolicyPort } from './policy.ts'
import { isObject } from './selector.ts'
import {
  type Complain,
  complainer,
  decodeTierPolicy,
  notUnderstood,
  portName,
  portRange,
  type TierDialect,
  type TierPolicy,
} from './tier.ts'

const DIALECT: TierDialect = {
  actions: { Accept: 'allow', Deny: 'deny', Pass: 'pass' },
  ports: 'protocols',
  decodePort(raw, complain) {
    const [key] = Object.keys(raw)
    if (key === 'destinationNamedPort') return portName(raw.destinationNamedPort, complain)
    if (key === 'tcp' || key === 'udp' || key === 'sctp') return destination(key.toUpperCase(), raw[key], complain)
    return notUnderstood(complain, `protocols: ${key} is not understood`)
  },
}

function destination(protocol: string, raw: unknown, complain: Complain): PolicyPort {
  const given = isObject(raw) ? raw.destinationPort : undefined
  if (!isObject(given) || (isObject(raw) && Object.keys(raw).length !== 1))
    return notUnderstood(complain, `protocols: ${protocol.toLowerCase()} has no destinationPort alone`)
  if (given.number !== undefined && given.range === undefined)
    return portRange(protocol, given.number, given.number, complain)
  if (isObject(given.range) && given.number === undefined)
    return portRange(protocol, given.range.start, given.range.end, complain)
  return notUnderstood(complain, 'protocols: destinationPort must be one of number and range')
}

/** All of them; trouble is appended to `issues`. A tier that does not exist puts the policy into both, under a condition. */
export function clusterNetworkPolicies(objects: KubeObjects, issues: Issue[]): TierPolicy[] {
  const out: TierPolicy[] = []
  for (const o of objects.others) {
    if (o.kind !== 'ClusterNetworkPolicy' || !o.apiVersion.startsWith('policy.networking.k8s.io/')) continue
    const complain = complainer(o, issues)
    const spec = isObject(o.raw.spec) ? o.raw.spec : {}
    const policy = decodeTierPolicy(o, priorityOf(spec, complain), DIALECT, complain)
    if (spec.tier === 'Admin' || spec.tier === 'Baseline') out.push({ tier: spec.tier, policy })
    else {
      const why = `tier ${JSON.stringify(spec.tier) ?? 'is missing'} is not Admin or Baseline`
      complain(why)
      const unsure = { ...policy, subject: { ...policy.subject, opaque: why } }
      out.push({ tier: 'Admin', policy: unsure }, { tier: 'Baseline', policy: unsure })
    }
  }
  return out
}
