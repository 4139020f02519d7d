/**
 * Services nobody answers for, without a question: `service-no-endpoints`, `service-endpoints-not-ready`,
 * `service-target-port-name-missing`, `dns-no-endpoints`. A Service that nobody backs may be meant so (scaled to zero, an
 * old name): that is told, not warned about, unless a spelling shows what was meant or somebody sends there.
 */
import { objectOf, recordOf } from '../../../kubeobj/fields.ts'
import { ingressesOf } from '../../../kubeobj/ingress.ts'
import type { KubeObjects, PodObject, ServiceObject, ServicePort } from '../../../kubeobj/objects.ts'
import type { Severity } from '../../../model/finding.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { podProof, serviceProof, sliceProof } from '../../view/object-proof.ts'
import { isReady } from '../../view/pod-view.ts'
import { isDnsService, selectedPods, serviceName, slicesOf } from '../../view/service-view.ts'
import { shellWord } from '../../view/words.ts'
import { nearSelector } from './near-selector.ts'
import { whyNoEndpoints } from './no-endpoints.ts'

export const serviceEndpoints: ClusterCheck = {
  name: 'service-endpoints',
  find(state) {
    const { known } = state.objects
    if (!known.has('Pod') || !known.has('EndpointSlice')) return []
    return state.objects.services.flatMap((s): ClusterFinding[] => {
      if (s.type === 'ExternalName') return []
      const codes = new Set<string>()
      return s.ports.flatMap((port): ClusterFinding[] => {
        const found = judge(state, s, port)
        if (!found || codes.has(found.finding.code)) return []
        codes.add(found.finding.code)
        return [found]
      })
    })
  },
}

function judge({ objects }: ClusterState, s: ServiceObject, port: ServicePort): ClusterFinding | null {
  const why = whyNoEndpoints({ objects }, { service: s, port })
  // A Ready pod that is in no slice: what keeps the slices is late or was not collected, and nothing is known.
  if (!why || (why.code !== 'service-target-port-name-missing' && why.pods.some(isReady))) return null
  const near = s.selector !== null && why.pods.length === 0 ? nearSelector(objects, s) : null
  const users = ingressesOf(objects).filter(
    (i) => i.meta.namespace === s.meta.namespace && i.backends.some((b) => b.service === s.meta.name),
  )
  const severity = severityOf(objects, s, why.code, near !== null, users.length > 0)
  const ns = shellWord(s.meta.namespace)
  return clusterFinding(why.code, {
    severity,
    title: near ? `${why.title}, but nearly pod ${near.pod.meta.name}` : why.title,
    text: `${why.text}${
      users.length > 0
        ? ` Ingress ${users
            .slice(0, 3)
            .map((i) => i.meta.name)
            .join(', ')} sends there and answers 503.`
        : ''
    }${severity === 'info' ? ' If nobody calls it, this is no fault.' : ''}`,
    where: { object: `Service ${serviceName(s)}` },
    concerns: [
      { kind: 'service', namespace: s.meta.namespace, name: s.meta.name },
      ...(isDnsService(s) ? [{ kind: 'dns' as const }] : []),
    ],
    evidence: [
      serviceProof(s),
      near ? podProof(near.pod) : undefined,
      ...why.pods.slice(0, 3).map(podProof),
      ...slicesOf(objects, s).slice(0, 2).map(sliceProof),
      ...users.slice(0, 2).map((i) => i.evidence),
    ],
    remedy: near
      ? {
          text: `Correct the selector (or the pods' labels, in their template).`,
          commands: [
            `kubectl -n ${ns} patch service ${shellWord(s.meta.name)} --type json -p ${shellWord(JSON.stringify([{ op: 'replace', path: '/spec/selector', value: near.selector }]))}`,
          ],
        }
      : why.code === 'service-target-port-name-missing'
        ? { text: why.todo, ...portPatch(s, port, why.pods) }
        : {
            text: why.todo,
            commands: why.pods
              .slice(0, 2)
              .map((p) => `kubectl -n ${shellWord(p.meta.namespace)} describe pod ${shellWord(p.meta.name)}`),
          },
  })
}

/** targetPort by the one port the pods have, when there is just one. */
function portPatch(s: ServiceObject, port: ServicePort, pods: readonly PodObject[]) {
  const ports = new Map(
    pods.flatMap((p) => p.containers.flatMap((c) => c.ports.map((x) => [x.containerPort, x.name ?? x.containerPort]))),
  )
  const [only] = ports.values()
  if (ports.size !== 1 || only === undefined) return {}
  const patch = JSON.stringify([
    { op: 'replace', path: `/spec/ports/${s.ports.indexOf(port)}/targetPort`, value: only },
  ])
  return {
    commands: [
      `kubectl -n ${shellWord(s.meta.namespace)} patch service ${shellWord(s.meta.name)} --type json -p ${shellWord(patch)}`,
    ],
  }
}

function severityOf(objects: KubeObjects, s: ServiceObject, code: string, near: boolean, used: boolean): Severity {
  if (code === 'dns-no-endpoints') return waitsForNetwork(objects, s) ? 'info' : 'error'
  if (code !== 'service-no-endpoints') {
    const pods = selectedPods(objects, s)
    // Not scheduled, not started: the pods are the finding, not their Service.
    if (s.publishNotReadyAddresses || pods.every((p) => p.phase === 'Pending')) return 'info'
    return 'error'
  }
  if (s.selector === null || scaledToZero(objects, s)) return 'info'
  return near || used ? 'warning' : 'info'
}

/** No CNI yet: DNS pods wait for it, which is no fault of theirs (kubeadm says so after init). */
function waitsForNetwork(objects: KubeObjects, s: ServiceObject): boolean {
  const pods = selectedPods(objects, s)
  const down = (t: string) => /cni|network ?plugin/i.test(t)
  return (
    pods.length > 0 &&
    pods.every((p) => p.phase === 'Pending') &&
    objects.nodes.length > 0 &&
    objects.nodes.every((n) =>
      n.conditions.some((c) => c.type === 'Ready' && c.status !== 'True' && down(c.message ?? '')),
    )
  )
}

/** A workload whose pods the selector would pick has no replicas by its own spec. */
function scaledToZero(objects: KubeObjects, s: ServiceObject): boolean {
  return objects.others.some((o) => {
    if (!['Deployment', 'StatefulSet', 'ReplicaSet'].includes(o.kind) || o.meta.namespace !== s.meta.namespace)
      return false
    const spec = objectOf(o.raw.spec)
    const labels = recordOf(objectOf(objectOf(spec.template).metadata).labels)
    return spec.replicas === 0 && Object.entries(s.selector ?? {}).every(([k, v]) => labels[k] === v)
  })
}
