/** `ingress-backend-wrong`: an Ingress sends to a Service, or a port of it, that does not exist. */
import { type IngressBackend, type IngressObject, ingressClassesOf, ingressesOf } from '../../../kubeobj/ingress.ts'
import type { KubeObjects, ServiceObject } from '../../../kubeobj/objects.ts'
import type { ClusterCheck, ClusterFinding } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { serviceProof } from '../../view/object-proof.ts'
import { namedService } from '../../view/pod-view.ts'
import { shellWord } from '../../view/words.ts'

/** The AWS controller reads an action from an annotation instead of a Service ("actions.${action-name}"). */
const USE_ANNOTATION = 'use-annotation'

export const ingressBackend: ClusterCheck = {
  name: 'ingress-backend-wrong',
  find({ objects }) {
    if (!objects.known.has('Service')) return []
    return ingressesOf(objects).flatMap((i) => {
      const seen = new Set<string>()
      return i.backends.flatMap((b): ClusterFinding[] => {
        const key = `${b.service}:${b.port}`
        if (seen.has(key) || b.port === USE_ANNOTATION) return []
        seen.add(key)
        const found = judge(objects, i, b)
        return found ? [found] : []
      })
    })
  },
}

function judge(objects: KubeObjects, i: IngressObject, b: IngressBackend): ClusterFinding | null {
  const { namespace, name } = i.meta
  const service = namedService(objects, namespace, b.service)
  const said = {
    ...i.evidence,
    text: `${i.evidence.text}: ${b.where} → Service ${b.service} port ${b.port ?? '(none)'}`,
  }
  const where = { object: `Ingress ${namespace}/${name}` }
  const edit = `kubectl -n ${shellWord(namespace)} edit ingress ${shellWord(name)}`
  const severe = { severity: 'error' as const, where, concerns: [{ kind: 'object' as const }] }
  if (!service) {
    const elsewhere = objects.services.filter((s) => s.meta.name === b.service).map((s) => s.meta.namespace)
    return clusterFinding('ingress-backend-wrong', {
      ...severe,
      title: `Ingress ${namespace}/${name} sends to Service ${b.service}, which does not exist in ${namespace}`,
      text: `${b.where} goes to Service ${b.service} of namespace ${namespace}; there is none, so clients get 503 (or 404).${elsewhere.length > 0 ? ` There is one in ${elsewhere.join(', ')}, but an Ingress reaches only Services of its own namespace.` : ''}`,
      evidence: [said],
      remedy: {
        text: `Correct the Service's name in the Ingress, or create it in ${namespace}.`,
        commands: [`kubectl -n ${shellWord(namespace)} get services`, edit],
      },
    })
  }
  if (service.type === 'ExternalName' || b.port === null) return null
  if (service.ports.some((p) => p.port === b.port || p.name === b.port)) return null
  const byTarget = service.ports.find((p) => p.targetPort === b.port)
  // ingress-nginx also takes a targetPort (controller.go, serviceEndpoints); the API does not promise that.
  const lenient = byTarget !== undefined && servedByNginx(objects, i)
  const have = service.ports.map((p) => (p.name ? `${p.port} (${p.name})` : `${p.port}`)).join(', ')
  const right = byTarget ?? (service.ports.length === 1 ? service.ports[0] : undefined)
  return clusterFinding('ingress-backend-wrong', {
    ...severe,
    ...(lenient ? { severity: 'info' as const } : {}),
    title: `Ingress ${namespace}/${name} sends to port ${b.port} of Service ${b.service}, which has ${have || 'no port'}`,
    text: `${b.where} goes to port ${b.port} of Service ${namespace}/${b.service}. An Ingress names the Service's port, ${byTarget ? `and ${b.port} is the pods' (targetPort)` : 'and the Service publishes no such port'}. ${lenient ? 'ingress-nginx finds the endpoints all the same; other controllers do not.' : 'The controller finds no endpoints and answers 503 although the pods are well.'}`,
    evidence: [said, serviceProof(service)],
    remedy: {
      text: right ? `Write port ${right.port} in the Ingress.` : "Write one of the Service's ports in the Ingress.",
      ...(right ? { manifest: backendManifest(service, right.port) } : {}),
      commands: [edit],
    },
  })
}

function servedByNginx(objects: KubeObjects, i: IngressObject): boolean {
  const used = ingressClassesOf(objects).find((c) =>
    i.className === undefined ? c.isDefault : c.meta.name === i.className,
  )
  return used !== undefined && /^k8s\.io\/ingress-nginx/.test(used.controller)
}

function backendManifest(service: ServiceObject, port: number): string {
  return `backend:\n  service:\n    name: ${service.meta.name}\n    port:\n      number: ${port}\n`
}
