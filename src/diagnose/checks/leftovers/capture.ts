/** Things made to watch traffic that are still there: ours and other tools'. Healthy, but nobody may remember them. */
import type { Link, Netns, Qdisc } from '../../../model/network.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { isCaptureLink } from '../overlay/ends.ts'

function placeOf(netns: Netns): string {
  return netns.pod ? `pod ${netns.pod.namespace}/${netns.pod.name}` : netns.node
}

function found(
  title: string,
  text: string,
  where: { readonly node?: string; readonly netns?: string; readonly link?: string; readonly object?: string },
  evidence: Link['evidence'],
  commands: readonly string[],
): ClusterFinding {
  return clusterFinding('capture-leftover', {
    severity: 'info',
    title,
    text,
    where,
    concerns: [{ kind: 'object' }],
    evidence: [evidence],
    remedy: { text: 'Remove it when nobody uses it any more.', commands },
  })
}

const inNetns = (netns: Netns, link: string) => ({
  node: netns.node,
  netns: netns.id.slice(netns.node.length + 1),
  link,
})

function links(netns: Netns): ClusterFinding[] {
  return netns.links
    .filter((l) => ['vxlan', 'dummy', 'ifb', 'gre', 'tun', 'veth', 'bridge'].includes(l.kind) && isCaptureLink(l.name))
    .map((l) =>
      found(
        `${l.name} on ${placeOf(netns)} looks like the end of a traffic mirror`,
        `A ${l.kind} link of that name carries copies of packets, not connections.`,
        inNetns(netns, l.name),
        l.evidence,
        [`ip link del ${l.name}`],
      ),
    )
}

/** A filter that copies packets (`mirred egress mirror`); redirects belong to bandwidth plugins and sandboxes. */
function mirrors(q: Qdisc): string | undefined {
  return q.filters.find((f) => /mirred \((Egress|Ingress) Mirror/i.test(f))
}

function filters(netns: Netns): ClusterFinding[] {
  return netns.qdiscs.flatMap((q) => {
    const filter = mirrors(q)
    if (filter === undefined) return []
    const to = /to device ([^\s)]{1,15})/.exec(filter)?.[1]
    return [
      found(
        `${q.link} on ${placeOf(netns)} is mirrored${to ? ` to ${to}` : ''}`,
        `A ${q.kind} filter copies the packets of ${q.link}: they go their own way unharmed, at the cost of some CPU and bandwidth.`,
        inNetns(netns, q.link),
        {
          ...q.evidence,
          text: filter
            .split('\n')
            .map((l) => l.trim())
            .join(' ')
            .slice(0, 400),
        },
        [`tc qdisc del dev ${q.link} ${q.kind}`],
      ),
    ]
  })
}

const POD_NAMES = /^(ksniff-|node-debugger-|netwhy-|kokotap|kubetap|netshoot-|debugger-)/

function pods(state: ClusterState): ClusterFinding[] {
  return state.objects.pods.flatMap((p) => {
    const { name, namespace, labels } = p.meta
    const ours = labels['app.kubernetes.io/managed-by'] === 'netwhy'
    if (!ours && !POD_NAMES.test(name) && !/^(ksniff|kokotap|kubetap)$/.test(labels.app ?? '')) return []
    const ended = p.phase === 'Succeeded' || p.phase === 'Failed'
    return [
      found(
        `pod ${namespace}/${name} was made to debug${ended ? ' and has ended' : ' and still runs'}`,
        `${ours ? 'netwhy made it' : 'Its name or label is that of a capture or debug tool'}; debug pods often have more rights than anything else on the node.`,
        { ...(p.nodeName === undefined ? {} : { node: p.nodeName }), object: `Pod ${namespace}/${name}` },
        p.evidence,
        [`kubectl -n ${namespace} delete pod ${name}`],
      ),
    ]
  })
}

/** `capture-leftover`: never above info, for a mirror in use looks the same. */
export const captureLeftovers: ClusterCheck = {
  name: 'capture-leftovers',
  find: (state) => [
    ...[...state.network.netns.values()].flatMap((netns) => [...links(netns), ...filters(netns)]),
    ...pods(state),
  ],
}
