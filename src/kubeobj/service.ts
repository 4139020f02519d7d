import type { RawObject } from './decode.ts'
import {
  integerOf,
  isRaw,
  objectOf,
  objectsOf,
  optional,
  portOf,
  type Raw,
  recordOf,
  textOf,
  textsOf,
} from './fields.ts'
import type { ServiceObject, ServicePort } from './objects.ts'

/** Defaults are those of the API server (pkg/apis/core/v1/defaults.go SetDefaults_Service), for objects that never met one. */
export function decodeService({ meta, evidence, spec, status }: RawObject): ServiceObject {
  const ip = textOf(spec.clusterIP)
  const ips = textsOf(spec.clusterIPs)
  const selector = isRaw(spec.selector) && Object.keys(spec.selector).length > 0 ? recordOf(spec.selector) : null
  const clientIp = objectOf(objectOf(spec.sessionAffinityConfig).clientIP)
  return {
    meta,
    evidence,
    type: textOf(spec.type) ?? 'ClusterIP',
    clusterIPs: ips.length > 0 ? ips : ip === undefined || ip === '' ? [] : [ip],
    externalIPs: textsOf(spec.externalIPs),
    ...optional('externalName', textOf(spec.externalName)),
    ports: objectsOf(spec.ports).flatMap(decodePort),
    selector,
    externalTrafficPolicy: textOf(spec.externalTrafficPolicy) ?? 'Cluster',
    internalTrafficPolicy: textOf(spec.internalTrafficPolicy) ?? 'Cluster',
    sessionAffinity: textOf(spec.sessionAffinity) ?? 'None',
    sessionAffinityTimeout: integerOf(clientIp.timeoutSeconds) ?? 10800,
    loadBalancerSourceRanges: textsOf(spec.loadBalancerSourceRanges),
    loadBalancerIngress: objectsOf(objectOf(status.loadBalancer).ingress).map((i) => ({
      ...optional('ip', textOf(i.ip)),
      ...optional('hostname', textOf(i.hostname)),
      ...optional('ipMode', textOf(i.ipMode)),
    })),
    ...optional('healthCheckNodePort', portOf(spec.healthCheckNodePort)),
    ipFamilies: textsOf(spec.ipFamilies),
    publishNotReadyAddresses: spec.publishNotReadyAddresses === true,
    ...optional('trafficDistribution', textOf(spec.trafficDistribution)),
  }
}

function decodePort(p: Raw): ServicePort[] {
  const port = portOf(p.port)
  if (port === undefined) return []
  return [
    {
      name: textOf(p.name) ?? '',
      port,
      protocol: (textOf(p.protocol) ?? 'TCP').toUpperCase(),
      targetPort: portOf(p.targetPort) ?? textOf(p.targetPort) ?? port,
      ...optional('nodePort', portOf(p.nodePort)),
      ...optional('appProtocol', textOf(p.appProtocol)),
    },
  ]
}
