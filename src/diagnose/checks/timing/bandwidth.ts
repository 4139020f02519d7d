import type { Qdisc } from '../../../model/network.ts'
import type { Inquiry, StateFinding } from '../../inquiry.ts'
import { withNetns } from '../../remedy/edit.ts'
import { placed } from '../../remedy/place.ts'

/** Bytes per second below which ordinary use of a connection does not work any more: 1 Mbit/s. */
const CRAWL = 125_000

function rateText(bytesPerSecond: number): string {
  const bits = bytesPerSecond * 8
  return bits >= 1e6 ? `${bits / 1e6} Mbit/s` : `${bits / 1e3} kbit/s`
}

/** `bandwidth-limited`: a shaping qdisc on a link of the path holds the connection to a crawl. */
export function bandwidthLimited(q: Inquiry): StateFinding[] {
  const seen = new Set<Qdisc>()
  const out: StateFinding[] = []
  for (const branch of q.branches) {
    if (branch.stage === 'dns') continue
    for (const trace of [branch.trace.forward, branch.trace.reply]) {
      for (const hop of trace?.hops ?? []) {
        const netns = q.network.netns.get(hop.netns)
        const links = new Set(hop.steps.flatMap((s) => (s.link === undefined ? [] : [s.link])))
        for (const qdisc of netns?.qdiscs ?? []) {
          if (!netns || qdisc.rate === undefined || qdisc.rate <= 0 || !links.has(qdisc.link) || seen.has(qdisc))
            continue
          seen.add(qdisc)
          if (qdisc.rate > CRAWL) continue
          const pod = netns.pod
          const object =
            pod && q.objects.pods.find((p) => p.meta.name === pod.name && p.meta.namespace === pod.namespace)
          const annotation = Object.entries(object?.meta.annotations ?? {}).find(([k]) =>
            /^kubernetes\.io\/(in|e)gress-bandwidth$/.test(k),
          )
          out.push({
            hurts: true,
            edit: (n) => withNetns(n, netns.id, (x) => ({ ...x, qdiscs: x.qdiscs.filter((y) => y !== qdisc) })),
            finding: placed({
              code: 'bandwidth-limited',
              severity: 'error',
              title: `${qdisc.link} of ${pod ? `pod ${pod.namespace}/${pod.name}` : netns.node} is limited to ${rateText(qdisc.rate)}`,
              text: `Connections open and small answers pass, but a ${qdisc.kind} qdisc on ${qdisc.link} lets only ${rateText(qdisc.rate)} through: a body of 1 MB takes ${Math.round(1e6 / qdisc.rate)} s and clients give up. Bytes trickle, unlike with an MTU fault.${annotation ? ` The pod is annotated ${annotation[0]}=${annotation[1]}.` : ''}`,
              where: { node: netns.node, netns: netns.id.slice(netns.node.length + 1), link: qdisc.link },
              evidence: [qdisc.evidence, ...(object && annotation ? [object.evidence] : [])],
              remedy: {
                text: annotation
                  ? `Correct the annotation (units: 64k is 64 kbit/s, 10M is 10 Mbit/s) and create the pod anew. Until then remove the limit by hand:`
                  : 'Find out who set the limit and remove it.',
                commands: [
                  `tc qdisc del dev ${qdisc.link} ${qdisc.parent === 'root' ? 'root' : `parent ${qdisc.parent}`}`,
                ],
                verified: false,
              },
            }),
          })
        }
      }
    }
  }
  return out
}
