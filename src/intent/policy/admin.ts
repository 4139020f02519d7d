/** AdminNetworkPolicy and BaselineAdminNetworkPolicy (policy.networking.k8s.io/v1alpha1, network-policy-api v0.1.7). */
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { Issue } from '../../model/evidence.ts'
import { isObject } from './selector.ts'
import {
  complainer,
  decodeTierPolicy,
  notUnderstood,
  portName,
  portRange,
  type TierDialect,
  type TierPolicy,
} from './tier.ts'

const PORTS: Pick<TierDialect, 'ports' | 'decodePort'> = {
  ports: 'ports',
  decodePort(raw, complain) {
    const { portNumber: one, portRange: range } = raw
    if (isObject(one)) return portRange(one.protocol ?? 'TCP', one.port, one.port, complain)
    if (isObject(range)) return portRange(range.protocol ?? 'TCP', range.start, range.end, complain)
    if (raw.namedPort !== undefined) return portName(raw.namedPort, complain)
    return notUnderstood(complain, `ports: ${Object.keys(raw).join(', ')} is not understood`)
  },
}

const ADMIN: TierDialect = { ...PORTS, actions: { Allow: 'allow', Deny: 'deny', Pass: 'pass' } }
/** There is nothing after the baseline to pass to. */
const BASELINE: TierDialect = { ...PORTS, actions: { Allow: 'allow', Deny: 'deny' } }

/** All of them; trouble is appended to `issues`. The baseline policy has no priority: there may be only one. */
export function adminPolicies(objects: KubeObjects, issues: Issue[]): TierPolicy[] {
  const out: TierPolicy[] = []
  for (const o of objects.others) {
    if (!o.apiVersion.startsWith('policy.networking.k8s.io/')) continue
    const complain = complainer(o, issues)
    if (o.kind === 'BaselineAdminNetworkPolicy')
      out.push({ tier: 'Baseline', policy: decodeTierPolicy(o, undefined, BASELINE, complain) })
    else if (o.kind === 'AdminNetworkPolicy') {
      const priority = priorityOf(o.raw.spec, complain)
      out.push({ tier: 'Admin', policy: decodeTierPolicy(o, priority, ADMIN, complain) })
    }
  }
  return out
}

/** 0–1000, lower first. Without one the place of the policy is not known. */
export function priorityOf(spec: unknown, complain: (message: string) => void): number | undefined {
  const priority = isObject(spec) ? spec.priority : undefined
  if (typeof priority === 'number' && Number.isInteger(priority) && priority >= 0 && priority <= 1000) return priority
  complain('priority is not a number from 0 to 1000')
  return undefined
}
