import type { RawObject } from './decode.ts'
import { objectOf, objectsOf, optional, type Raw, recordOf, textOf, textsOf } from './fields.ts'
import type { Condition, NodeObject } from './objects.ts'

export function decodeNode({ meta, evidence, spec, status }: RawObject): NodeObject {
  const info = objectOf(status.nodeInfo)
  const cidrs = textsOf(spec.podCIDRs)
  const cidr = textOf(spec.podCIDR)
  return {
    meta,
    evidence,
    podCIDRs: cidrs.length > 0 ? cidrs : cidr === undefined || cidr === '' ? [] : [cidr],
    addresses: objectsOf(status.addresses).map((a) => ({
      type: textOf(a.type) ?? '',
      address: textOf(a.address) ?? '',
    })),
    conditions: conditionsOf(status),
    taints: objectsOf(spec.taints).map((t) => ({ key: textOf(t.key) ?? '', effect: textOf(t.effect) ?? '' })),
    ...optional('kubeletVersion', textOf(info.kubeletVersion)),
    ...optional('containerRuntimeVersion', textOf(info.containerRuntimeVersion)),
    allocatable: recordOf(status.allocatable),
    ...(spec.unschedulable === true ? { unschedulable: true } : {}),
    ...optional('kernelVersion', textOf(info.kernelVersion)),
    ...optional('osImage', textOf(info.osImage)),
    ...optional('providerId', textOf(spec.providerID)),
  }
}

export function conditionsOf(status: Raw): Condition[] {
  return objectsOf(status.conditions).map((c) => ({
    type: textOf(c.type) ?? '',
    status: textOf(c.status) ?? 'Unknown',
    ...optional('reason', textOf(c.reason)),
    ...optional('message', textOf(c.message)),
    ...optional('lastTransitionTime', textOf(c.lastTransitionTime)),
    ...optional('lastHeartbeatTime', textOf(c.lastHeartbeatTime)),
  }))
}
