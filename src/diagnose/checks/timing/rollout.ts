/** `rollout-race`: pods end while connections are still sent to them. */
import type { PodObject } from '../../../kubeobj/objects.ts'
import type { Evidence } from '../../../model/evidence.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { podProof } from '../../view/object-proof.ts'
import { logOf, podName, workloadOf } from '../../view/pod-view.ts'
import { shellWord } from '../../view/words.ts'
import { allControllerPods } from '../ingress/controller.ts'

/** nginx: the upstream refused or went away while the request was on its way. */
const REFUSED =
  /(?:connect\(\) failed \(111|upstream prematurely closed|recv\(\) failed \(104).*upstream: "[a-z]+:\/\/\[?([0-9a-f.:]+?)\]?:\d+/
const STAMP = /(\d{4})[-/](\d{2})[-/](\d{2})[T ](\d{2}:\d{2}:\d{2})/
/** Seconds after the deletion in which the refusals are the race's; later ones have another cause. */
const WINDOW = 30

export const rolloutRace: ClusterCheck = {
  name: 'rollout-race',
  find(state) {
    const ending = state.objects.pods.filter((p) => p.meta.deletionTimestamp !== undefined && !hasPreStop(p))
    return ending.flatMap((p): ClusterFinding[] => {
      const refused = refusals(state, p)
      const still = state.objects.endpointSlices.some((s) =>
        s.endpoints.some((e) => e.addresses.some((a) => p.podIPs.includes(a)) && e.ready),
      )
      if (refused.length === 0 && !still) return []
      return [finding(p, refused)]
    })
  },
}

function hasPreStop(p: PodObject): boolean {
  return p.containers.some((c) => c.hasPreStop)
}

/** Lines of ingress controllers about this pod's address, within the window after its deletion. */
function refusals({ network, objects }: ClusterState, p: PodObject): Evidence[] {
  const deleted = Date.parse(p.meta.deletionTimestamp ?? '')
  if (Number.isNaN(deleted)) return []
  return allControllerPods(objects).flatMap((c) =>
    logOf(network, c).filter((e) => {
      const m = REFUSED.exec(e.text)
      const t = STAMP.exec(e.text)
      if (!m || !t || !p.podIPs.includes(m[1] ?? '')) return false
      const at = Date.parse(`${t[1]}-${t[2]}-${t[3]}T${t[4]}Z`)
      // deletionTimestamp is when the grace period ends: the race begins that much earlier.
      return at <= deleted + WINDOW * 1000 && at >= deleted - 10 * WINDOW * 1000
    }),
  )
}

function finding(p: PodObject, refused: readonly Evidence[]): ClusterFinding {
  const proven = refused.length > 0
  const workload = workloadOf(p)
  const [kind = '', name = ''] = workload.split('/')
  return clusterFinding('rollout-race', {
    severity: proven ? 'warning' : 'info',
    title: proven
      ? `requests were refused while pod ${podName(p)} was ending: it stops before the others know`
      : `pod ${podName(p)} is ending, is still among the endpoints and has no preStop delay`,
    text: `A pod gets SIGTERM at the moment its removal from the endpoints begins; proxies and ingress controllers hear of it some seconds later. Without a preStop delay the program is gone by then${proven ? `, and ${refused.length} request${refused.length === 1 ? '' : 's'} to it failed (502)` : ''}. It happens at every rollout and scale-down, and at no other time.`,
    where: { object: `Pod ${podName(p)}` },
    concerns: [{ kind: 'object' }],
    evidence: [
      ...refused.slice(0, 4),
      { ...podProof(p), text: `${podProof(p).text}; deletionTimestamp ${p.meta.deletionTimestamp}; no preStop` },
    ],
    remedy: {
      text: 'Let the container wait before it gets SIGTERM, and the program finish what it has begun.',
      manifest: `spec:\n  template:\n    spec:\n      containers:\n        - name: ${JSON.stringify(p.containers[0]?.name ?? '')}\n          lifecycle:\n            preStop:\n              exec: { command: ["sleep", "10"] }\n`,
      ...(name && kind !== 'ReplicaSet'
        ? {
            commands: [
              `kubectl -n ${shellWord(p.meta.namespace)} edit ${shellWord(kind.toLowerCase())} ${shellWord(name)}`,
            ],
          }
        : {}),
    },
  })
}
