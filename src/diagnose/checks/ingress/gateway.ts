/** Gateway API: classes nobody implements, routes no Gateway takes, backends that do not exist. */
import { type GatewayObjects, gatewayObjectsOf, type RouteObject, type RouteRef } from '../../../kubeobj/gateway.ts'
import type { Condition, KubeObjects } from '../../../kubeobj/objects.ts'
import type { ClusterCheck, ClusterFinding } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { serviceProof } from '../../view/object-proof.ts'
import { namedService } from '../../view/pod-view.ts'
import { shellWord } from '../../view/words.ts'

const OBJECT = [{ kind: 'object' as const }]

function denied(conditions: readonly Condition[], ...types: readonly string[]): Condition | undefined {
  return conditions.find((c) => types.includes(c.type) && c.status === 'False')
}

const words = (c: Condition) =>
  `${c.type}=False (${c.reason ?? 'no reason'}${c.message ? `: ${c.message.slice(0, 200)}` : ''})`

export const gatewayClass: ClusterCheck = {
  name: 'gateway-class',
  find({ objects }) {
    const all = gatewayObjectsOf(objects)
    return all.gateways.flatMap((g): ClusterFinding[] => {
      const name = `${g.meta.namespace}/${g.meta.name}`
      const where = { object: `Gateway ${name}` }
      const of = all.classes.find((c) => c.meta.name === g.className)
      const refused = of ? denied(of.conditions, 'Accepted') : undefined
      if ((!of && objects.known.has('GatewayClass')) || refused)
        return [
          clusterFinding('ingress-class-missing', {
            severity: 'error',
            title: of
              ? `GatewayClass ${g.className} of Gateway ${name} is not accepted by any controller`
              : `Gateway ${name} wants GatewayClass ${g.className}, which does not exist`,
            text: `No controller takes the Gateway up, so nothing listens for its routes.${refused ? ` The class says ${words(refused)}.` : ''}`,
            where,
            concerns: OBJECT,
            evidence: [
              { ...g.evidence, text: `${g.evidence.text}: gatewayClassName ${g.className}` },
              of?.evidence,
              ...all.classes.slice(0, 4).map((c) => c.evidence),
            ],
            remedy: {
              text: 'Install the controller of that class, or name one of the GatewayClasses there are.',
              commands: ['kubectl get gatewayclass'],
            },
          }),
        ]
      const bad = [
        denied(g.conditions, 'Accepted', 'Programmed'),
        ...g.listenerStatus.map((l) => denied(l.conditions, 'Accepted', 'ResolvedRefs', 'Programmed')),
      ].find((c) => c !== undefined)
      if (!bad || bad.reason === 'Pending') return []
      return [
        clusterFinding('ingress-backend-wrong', {
          severity: 'error',
          title: `Gateway ${name} does not listen as written: ${bad.reason ?? bad.type}`,
          text: `Its controller says ${words(bad)}.`,
          where,
          concerns: OBJECT,
          evidence: [{ ...g.evidence, text: `${g.evidence.text}: ${words(bad)}` }],
          remedy: {
            text: 'Correct what the condition names (certificate, listener, address).',
            commands: [`kubectl -n ${shellWord(g.meta.namespace)} describe gateway ${shellWord(g.meta.name)}`],
          },
        }),
      ]
    })
  },
}

export const gatewayRoute: ClusterCheck = {
  name: 'gateway-route',
  find({ objects }) {
    const all = gatewayObjectsOf(objects)
    return all.routes.flatMap((r) => [...parentFindings(objects, all, r), ...backendFindings(objects, all, r)])
  },
}

function parentFindings(objects: KubeObjects, all: GatewayObjects, r: RouteObject): ClusterFinding[] {
  const name = `${r.kind} ${r.meta.namespace}/${r.meta.name}`
  return r.parents.flatMap((p): ClusterFinding[] => {
    if (p.kind !== 'Gateway') return []
    const gateway = all.gateways.find((g) => g.meta.namespace === p.namespace && g.meta.name === p.name)
    const status = r.parentStatus.find((s) => s.parent.name === p.name && s.parent.namespace === p.namespace)
    const refused = status ? denied(status.conditions, 'Accepted') : undefined
    const noSection =
      gateway !== undefined && p.section !== undefined && !gateway.listeners.includes(p.section) ? p.section : undefined
    const absent = !gateway && objects.known.has('Gateway')
    if (!absent && !refused && noSection === undefined) return []
    const why = absent
      ? `there is no Gateway ${p.namespace}/${p.name}`
      : noSection !== undefined
        ? `Gateway ${p.namespace}/${p.name} has no listener ${noSection} (it has ${gateway?.listeners.join(', ')})`
        : `Gateway ${p.namespace}/${p.name} refuses it${refused?.reason ? ` (${refused.reason})` : ''}`
    return [
      clusterFinding('ingress-class-missing', {
        severity: 'error',
        title: `${name} belongs to no Gateway: ${why}`,
        text: `No listener serves the route, so clients get 404 or no connection.${refused ? ` The controller says ${words(refused)}.` : ''}`,
        where: { object: name },
        concerns: OBJECT,
        evidence: [
          { ...r.evidence, text: `${r.evidence.text}: parentRef ${p.namespace}/${p.name}` },
          gateway?.evidence,
        ],
        remedy: {
          text: 'Correct parentRefs of the route, or the allowedRoutes, hostname and listeners of the Gateway.',
          commands: [
            `kubectl -n ${shellWord(r.meta.namespace)} describe ${r.kind.toLowerCase()} ${shellWord(r.meta.name)}`,
          ],
        },
      }),
    ]
  })
}

function granted(all: GatewayObjects, r: RouteObject, b: RouteRef): boolean {
  return all.grants.some(
    (g) =>
      g.namespace === b.namespace &&
      g.from.some((f) => f.kind === r.kind && f.namespace === r.meta.namespace) &&
      g.to.some((t) => t.kind === b.kind && (t.name === undefined || t.name === b.name)),
  )
}

function backendFindings(objects: KubeObjects, all: GatewayObjects, r: RouteObject): ClusterFinding[] {
  const name = `${r.kind} ${r.meta.namespace}/${r.meta.name}`
  if (!objects.known.has('Service')) return []
  return r.backends.flatMap((b): ClusterFinding[] => {
    if (b.kind !== 'Service' || b.group !== '') return []
    const service = namedService(objects, b.namespace, b.name)
    const foreign = b.namespace !== r.meta.namespace
    const why = !service
      ? `there is no Service ${b.namespace}/${b.name}`
      : b.port !== null && !service.ports.some((p) => p.port === b.port)
        ? `Service ${b.namespace}/${b.name} has no port ${b.port} (it has ${service.ports.map((p) => p.port).join(', ')})`
        : foreign && objects.known.has('ReferenceGrant') && !granted(all, r, b)
          ? `no ReferenceGrant in ${b.namespace} lets a ${r.kind} of ${r.meta.namespace} use Service ${b.name}`
          : null
    if (why === null) return []
    return [
      clusterFinding('ingress-backend-wrong', {
        severity: 'error',
        title: `${name} sends to nowhere: ${why}`,
        text: 'The gateway answers 500 for this share of the requests.',
        where: { object: name },
        concerns: OBJECT,
        evidence: [
          { ...r.evidence, text: `${r.evidence.text}: backendRef ${b.namespace}/${b.name}:${b.port ?? ''}` },
          service ? serviceProof(service) : undefined,
        ],
        remedy: {
          text: "Correct the route's backendRefs (the port is the Service's port), or add the ReferenceGrant.",
          ...(service && foreign && why.startsWith('no ReferenceGrant') ? { manifest: grant(r, b) } : {}),
        },
      }),
    ]
  })
}

function grant(r: RouteObject, b: RouteRef): string {
  return `apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata:
  name: from-${r.meta.namespace}
  namespace: ${b.namespace}
spec:
  from:
    - { group: gateway.networking.k8s.io, kind: ${r.kind}, namespace: ${r.meta.namespace} }
  to:
    - { group: "", kind: Service, name: ${b.name} }
`
}
