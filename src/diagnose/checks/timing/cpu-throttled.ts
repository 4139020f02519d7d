import type { CpuThrottling } from '../../../model/node-files.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { podProof } from '../../view/object-proof.ts'
import { type Host, hostsOf } from '../links/hosts.ts'

/** Share of the periods of 100 ms in which the quota was used up, above which requests visibly wait. */
const OFTEN = 0.1
/** Fewer periods than a minute's say nothing about how the pod usually runs. */
const ENOUGH = 600
/** Where the number of periods was not collected: so many and so long cannot be start-up alone. */
const MANY = 1000
const SECONDS = 60

/** Null: not often enough to matter. Otherwise how often, in words. */
function howOften(t: CpuThrottling): string | null {
  if (t.periods !== undefined) {
    const share = t.throttledPeriods / Math.max(1, t.periods)
    return t.periods >= ENOUGH && share >= OFTEN ? `in ${Math.round(share * 100)} % of the time slices` : null
  }
  return t.throttledPeriods >= MANY && t.throttledSeconds >= SECONDS
    ? `${t.throttledPeriods} times, ${Math.round(t.throttledSeconds)} s in all`
    : null
}

/** The container's own line says more than the pod's, which adds them up. */
function worstOf(rows: readonly CpuThrottling[]): CpuThrottling | undefined {
  const bad = rows.filter((r) => howOften(r) !== null)
  const own = bad.filter((r) => r.containerId !== undefined)
  return [...(own.length > 0 ? own : bad)].sort((x, y) => y.throttledPeriods - x.throttledPeriods)[0]
}

function ofHost(state: ClusterState, host: Host): ClusterFinding[] {
  const rows = host.info.files?.throttling ?? []
  const uids = new Set(rows.map((r) => r.podUid))
  return [...uids].flatMap((uid) => {
    const worst = worstOf(rows.filter((r) => r.podUid === uid))
    const pod = state.objects.pods.find((p) => p.meta.uid === uid)
    const often = worst && howOften(worst)
    if (!worst || !pod || !often || pod.phase !== 'Running') return []
    const { namespace, name } = pod.meta
    const id = worst.containerId
    const container = id === undefined ? undefined : pod.containerStatuses.find((c) => c.containerID?.includes(id))
    return [
      clusterFinding('cpu-throttled', {
        severity: 'warning',
        title: `pod ${namespace}/${name}${container ? `, container ${container.name},` : ''} is held back by its CPU limit ${often}`,
        text: `When its share of a 100 ms slice is used up the container stands still until the next, and its answers wait with it: slow requests and failed probes that look like the network's fault. Packets between the nodes are not delayed.`,
        where: { node: host.node, object: `Pod ${namespace}/${name}` },
        concerns: [{ kind: 'pod', namespace, name }],
        evidence: [worst.evidence, podProof(pod)],
        remedy: {
          text: 'Raise the CPU limit, or remove it and keep the request; see whether nr_throttled stands still.',
        },
      }),
    ]
  })
}

/** `cpu-throttled`: nr_throttled against nr_periods of cpu.stat (Documentation/scheduler/sched-bwc.rst). A warning: the counters are since the container's start. */
export const cpuThrottled: ClusterCheck = {
  name: 'cpu-throttled',
  find: (state) => hostsOf(state).flatMap((host) => ofHost(state, host)),
}
