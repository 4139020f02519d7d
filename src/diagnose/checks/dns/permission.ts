/** `dns-rbac`: CoreDNS may not read the objects it answers from. */
import { objectOf, objectsOf, textsOf } from '../../../kubeobj/fields.ts'
import type { OtherObject, PodObject } from '../../../kubeobj/objects.ts'
import type { ClusterCheck } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { dnsLogs, dnsPods } from '../../view/dns-view.ts'

const FORBIDDEN = /\b(endpointslices|services|endpoints|namespaces|pods)(\.[a-z0-9.]+)? is forbidden/
const ROLE = 'system:coredns'

export const dnsRbac: ClusterCheck = {
  name: 'dns-rbac',
  find({ network, objects }) {
    const logged = dnsLogs(network, objects).flatMap((l) => l.lines.filter((e) => FORBIDDEN.test(e.text)).slice(-2))
    const role = objects.others.find((o) => o.kind === 'ClusterRole' && o.meta.name === ROLE)
    const lacks = role !== undefined && !mayRead(role) && dnsPods(objects).some(needsSlices)
    if (logged.length === 0 && !lacks) return []
    const what = FORBIDDEN.exec(logged[0]?.text ?? '')?.[1] ?? 'endpointslices'
    return [
      clusterFinding('dns-rbac', {
        severity: 'error',
        hurts: true,
        title: `CoreDNS may not read ${what}, so it knows no Services`,
        text: `${lacks ? `ClusterRole ${ROLE} has no rule to list and watch endpointslices of discovery.k8s.io, which CoreDNS reads since 1.8.1.` : `The API server refuses CoreDNS the list of ${what}.`} Names of the cluster give SERVFAIL or NXDOMAIN while outside names resolve; the network to the API server is not the fault, for it answers.`,
        where: { object: `ClusterRole ${ROLE}` },
        concerns: [{ kind: 'dns' }],
        evidence: [
          ...logged,
          role
            ? {
                ...role.evidence,
                text: `${role.evidence.text}: ${resourcesOf(role).slice(0, 12).join(', ') || 'no rule'}`,
              }
            : undefined,
        ],
        remedy: {
          text: `Add the rule to ClusterRole ${ROLE}; CoreDNS tries again by itself.`,
          commands: [
            `kubectl patch clusterrole ${ROLE} --type json -p '[{"op":"add","path":"/rules/-","value":{"apiGroups":["discovery.k8s.io"],"resources":["endpointslices"],"verbs":["list","watch"]}}]'`,
          ],
        },
      }),
    ]
  },
}

function mayRead(role: OtherObject): boolean {
  // An aggregated role's rules are filled in by a controller from others.
  if (role.raw.aggregationRule !== undefined) return true
  const has = (list: readonly string[], word: string) => list.includes(word) || list.includes('*')
  const rules = objectsOf(role.raw.rules).filter(
    (r) => has(textsOf(r.apiGroups), 'discovery.k8s.io') && has(textsOf(r.resources), 'endpointslices'),
  )
  return ['list', 'watch'].every((verb) => rules.some((r) => has(textsOf(objectOf(r).verbs), verb)))
}

function resourcesOf(role: OtherObject): string[] {
  return objectsOf(role.raw.rules).flatMap((r) => textsOf(r.resources))
}

/** CoreDNS 1.8.1 (January 2021) went from Endpoints to EndpointSlices; an unknown version proves nothing. */
function needsSlices(p: PodObject): boolean {
  return p.containers.some((c) => {
    const m = /coredns[^/]*:v?(\d+)\.(\d+)\.(\d+)/.exec(c.image ?? '')
    if (!m) return false
    const [major, minor, patch] = m.slice(1).map(Number)
    return major! * 1e6 + minor! * 1e3 + patch! >= 1_008_001
  })
}
