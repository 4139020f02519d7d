/** Decisions: how traffic comes in from outside: LoadBalancer Services (A1.6), Ingress and Gateway (A1.7). */
import type { Evidence } from '../../model/evidence.ts'
import type { Decision } from '../../model/inventory.ts'
import { ofCluster, several, unknown } from './decision.ts'
import { runningText, withRole } from './software.ts'
import type { Surroundings } from './surroundings.ts'

const LB = { id: 'load-balancer', title: 'LoadBalancer' }
const INGRESS = { id: 'ingress', title: 'Ingress or Gateway' }

export function loadBalancer(s: Surroundings): Decision {
  if (!s.objects.known.has('Service')) return unknown(LB, 'Services not collected')
  const asked = s.objects.services.filter((x) => x.type === 'LoadBalancer')
  const served = asked.filter((x) => x.loadBalancerIngress.length > 0)
  const makers = withRole(s.software, 'load-balancer')
  const pools = s.objects.others.find((o) => ['IPAddressPool', 'CiliumLoadBalancerIPPool'].includes(o.kind))
  const owner =
    makers.map((m) => m.product.name).join(', ') ||
    (pools ? (pools.kind === 'IPAddressPool' ? 'MetalLB' : 'Cilium LB IPAM') : null)
  const evidence: Evidence[] = [...makers.map((m) => m.evidence), ...asked.map((x) => x.evidence)]
  if (asked.length === 0)
    return ofCluster(LB, {
      state: owner === null ? 'absent' : 'present',
      value: owner === null ? 'none' : `${makers.map(runningText).join(', ') || owner}, no Service uses it`,
      owner,
      evidence,
    })
  const pending = asked.length - served.length
  const many = `${several(asked.length, 'Service')}${pending > 0 ? `, ${pending} without an address` : ''}`
  return ofCluster(LB, {
    value: `${owner ?? (served.length > 0 ? 'implementation not seen' : 'nobody seen giving out addresses')}, ${many}`,
    owner,
    ...(owner === null && served.length > 0
      ? { why: 'addresses are given out, but by no software known to netwhy among the pods' }
      : {}),
    evidence,
  })
}

export function ingress(s: Surroundings): Decision {
  const controllers = withRole(s.software, 'ingress')
  const of = (kind: string) => s.objects.others.filter((o) => o.kind === kind)
  const known = (kind: string) => s.objects.known.has(kind)
  const classes = [...of('IngressClass'), ...of('GatewayClass')]
  const routes = of('Ingress').length
  const gateways = of('Gateway').length
  if (controllers.length === 0 && classes.length === 0 && routes + gateways === 0) {
    if (!known('Ingress') && !known('IngressClass') && !known('Gateway'))
      return s.objects.known.has('Pod')
        ? ofCluster(INGRESS, {
            state: 'absent',
            value: 'none seen',
            why: 'Ingress and Gateway objects not collected; no controller among the pods',
            evidence: [],
          })
        : unknown(INGRESS, 'neither Ingress objects nor pods were collected')
    return ofCluster(INGRESS, { state: 'absent', value: 'none', evidence: [] })
  }
  const named = classes.map((c) => classController(c.raw)).filter((c) => c !== null)
  const who =
    controllers.length > 0
      ? controllers.map(runningText).join(', ')
      : named.length > 0
        ? `class of ${[...new Set(named)].join(', ')}`
        : 'no controller seen'
  const counts = [
    ...(routes > 0 ? [several(routes, 'Ingress')] : []),
    ...(gateways > 0 ? [several(gateways, 'Gateway')] : []),
  ]
  return ofCluster(INGRESS, {
    value: [who, ...counts].join(', '),
    owner: controllers.map((c) => c.product.name).join(', ') || named[0] || null,
    evidence: [...controllers.map((c) => c.evidence), ...classes.map((c) => c.evidence)],
  })
}

/** IngressClass.spec.controller, GatewayClass.spec.controllerName. */
function classController(raw: Readonly<Record<string, unknown>>): string | null {
  const spec = raw.spec
  if (typeof spec !== 'object' || spec === null) return null
  const { controller, controllerName } = spec as Record<string, unknown>
  const name = controller ?? controllerName
  return typeof name === 'string' ? name : null
}
