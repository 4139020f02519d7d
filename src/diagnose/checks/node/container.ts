/** `container-not-ready`: pods that run and are not ready, with what their probes and containers say. */
import type { KubeObjects, PodObject, ServiceObject } from '../../../kubeobj/objects.ts'
import type { ClusterCheck } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { outcomeWords, probeOutcome } from '../../setup/probe-text.ts'
import { conditionProof, eventProof, readyOf, told, waitingProof } from '../../setup/proof.ts'

/** Seconds a pod may take to become ready before it counts. */
const GRACE = 120
const STUCK =
  /^(CrashLoopBackOff|ErrImagePull|ImagePullBackOff|InvalidImageName|CreateContainerConfigError|CreateContainerError|RunContainerError)$/

/** The newest time any object tells: the best there is for "now". */
function newest(objects: KubeObjects): number {
  const times = [
    ...objects.nodes.flatMap((n) => n.conditions.map((c) => c.lastHeartbeatTime)),
    ...objects.events.map((e) => e.lastSeen),
    ...objects.pods.flatMap((p) => p.conditions.map((c) => c.lastTransitionTime)),
  ]
  return times.reduce((latest, t) => Math.max(latest, (t === undefined ? 0 : Date.parse(t)) || 0), 0)
}

export const containerNotReady: ClusterCheck = {
  name: 'container-not-ready',
  find({ objects, network }) {
    const now = newest(objects)
    const down = new Set(objects.nodes.filter((n) => readyOf(n)?.status !== 'True').map((n) => n.meta.name))
    return objects.pods.flatMap((pod) => {
      const ready = readyOf(pod)
      const statuses = [...pod.containerStatuses, ...(pod.initContainerStatuses ?? [])]
      const stuck = statuses.find((s) => STUCK.test(s.waitingReason ?? ''))
      const waits = pod.phase === 'Running' ? ready?.status === 'False' : pod.phase === 'Pending' && stuck !== undefined
      if (!waits || pod.meta.deletionTimestamp !== undefined || down.has(pod.nodeName ?? '')) return []
      const probe = objects.events
        .filter(
          (e) =>
            e.reason === 'Unhealthy' &&
            e.about.kind === 'Pod' &&
            e.about.name === pod.meta.name &&
            e.about.namespace === pod.meta.namespace,
        )
        .sort((x, y) => (x.lastSeen ?? '').localeCompare(y.lastSeen ?? ''))
        .at(-1)
      const restarts = statuses.reduce((sum, s) => sum + s.restartCount, 0)
      const since = Date.parse(ready?.lastTransitionTime ?? pod.startTime ?? '')
      if (!stuck && restarts === 0 && now - since < GRACE * 1000) return []
      const name = `${pod.meta.namespace}/${pod.meta.name}`
      const alone = onlyHope(objects, pod)
      const log = network.nodes
        .get(pod.nodeName ?? '')
        ?.files?.logs.find((l) => l.namespace === pod.meta.namespace && l.pod === pod.meta.name)
      return [
        clusterFinding('container-not-ready', {
          severity: alone ? 'error' : 'warning',
          title: `pod ${name} is not ready${stuck ? `: ${stuck.name} is in ${stuck.waitingReason}` : ''}`,
          text: `${reason(pod, stuck, probe?.message)} ${alone ? `No pod of Service ${alone} is ready, so connections to it fail.` : 'No Service sends to it meanwhile.'}`
            .replace(/ {2,}/g, ' ')
            .trim(),
          where: { ...(pod.nodeName ? { node: pod.nodeName } : {}), object: `Pod ${name}` },
          concerns: [{ kind: 'pod', namespace: pod.meta.namespace, name: pod.meta.name }],
          evidence: [conditionProof(pod, ready), probe && eventProof(probe), waitingProof(pod), log?.lines.at(-1)],
          remedy: {
            text: 'Look at the log of the container, and of its run before.',
            commands: [
              `kubectl -n ${pod.meta.namespace} logs ${pod.meta.name} --all-containers --tail 50`,
              ...(restarts > 0
                ? [`kubectl -n ${pod.meta.namespace} logs ${pod.meta.name} --all-containers --previous --tail 50`]
                : []),
            ],
          },
        }),
      ]
    })
  },
}

function reason(
  pod: PodObject,
  stuck: PodObject['containerStatuses'][number] | undefined,
  probe: string | undefined,
): string {
  const last = pod.containerStatuses.find((s) => s.lastTerminatedReason !== undefined)
  const ended = last
    ? `Container ${last.name} ended last with ${last.lastTerminatedReason}${last.lastTerminatedExitCode === undefined ? '' : ` (exit code ${last.lastTerminatedExitCode})`}.`
    : ''
  if (stuck) {
    const said = stuck.waitingMessage ? `: ${told(stuck.waitingMessage)}` : ''
    return `Container ${stuck.name} does not run (${stuck.waitingReason}${said}). ${ended}`
  }
  if (probe !== undefined) return `Its probe fails: ${outcomeWords(probeOutcome(probe))}. ${ended}`
  const gates = pod.conditions.find((c) => c.type === 'ContainersReady' && c.status === 'True')
  if (gates) return 'Its containers are ready, but a readiness gate that another program sets is not.'
  return `${pod.reason ? `It says ${pod.reason}.` : 'Its containers do not say why.'} ${ended}`
}

/** A Service that selects the pod and has no ready pod at all. */
function onlyHope(objects: KubeObjects, pod: PodObject): string | null {
  for (const s of objects.services) {
    if (s.meta.namespace !== pod.meta.namespace || s.publishNotReadyAddresses || !selects(s, pod)) continue
    const served = objects.pods.some((p) => p.phase === 'Running' && readyOf(p)?.status === 'True' && selects(s, p))
    if (!served) return `${s.meta.namespace}/${s.meta.name}`
  }
  return null
}

function selects(service: ServiceObject, pod: PodObject): boolean {
  return (
    service.selector !== null &&
    service.meta.namespace === pod.meta.namespace &&
    Object.entries(service.selector).every(([k, v]) => pod.meta.labels[k] === v)
  )
}
