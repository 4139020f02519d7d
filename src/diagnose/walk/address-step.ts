/** Step 1 of the pod walk: both ends have an address, the objects and the namespaces agree on it, and the node's range holds it. */
import { formatIp, ipEquals, parseIp, prefixContains } from '../../base/ip.ts'
import type { PodObject } from '../../kubeobj/objects.ts'
import type { Answer } from '../../model/finding.ts'
import type { Inquiry } from '../inquiry.ts'
import { podProof } from '../view/object-proof.ts'
import { netnsOfPod, podOfAddress, podRanges } from '../view/owner.ts'
import { type Draft, draft, failedBy, findingOf, some } from './draft.ts'
import type { Fate } from './fate.ts'

const TITLE = 'The pods have addresses (IPAM and CNI did their work)'
const CODES = ['pod-address-duplicate', 'dad-failed', 'pod-cidr-missing', 'pod-ip-missing', 'cni-config-missing']

interface Seen {
  readonly state: 'ok' | 'failed' | 'unknown'
  readonly text: string
}

/** The pods of the question, as `shop/web-1 has 10.244.2.10 on eth0`. */
export function addressStep(q: Inquiry, fates: readonly Fate[], answer: Answer): Draft {
  const found = findingOf(answer, CODES)
  if (found) return failedBy('pod.address', TITLE, found)
  const pods = new Set<PodObject>()
  for (const f of fates) {
    const { source, target } = f.branch
    const own = source.pod ?? podOfNetns(q, source.netns)
    if (own) pods.add(own)
    const there = target.pod ?? podOfAddress(q.objects, f.branch.trace.forward.packet.dst)
    if (there) pods.add(there)
  }
  if (pods.size === 0) return draft('pod.address', TITLE, 'skipped', 'no pod object is known at either end')
  const seen = [...pods].slice(0, 8).map((p) => look(q, p))
  const state = seen.some((s) => s.state === 'failed')
    ? 'failed'
    : seen.some((s) => s.state === 'unknown')
      ? 'unknown'
      : 'ok'
  const telling = [...seen].sort((x, y) => rank(x) - rank(y))
  return draft('pod.address', TITLE, state, some(telling.map((s) => s.text)), [...pods].map(podProof))
}

const rank = (s: Seen) => ({ failed: 0, unknown: 1, ok: 2 })[s.state]

function podOfNetns(q: Inquiry, id: string | null): PodObject | undefined {
  const pod = id === null ? undefined : q.network.netns.get(id)?.pod
  return pod && q.objects.pods.find((p) => p.meta.namespace === pod.namespace && p.meta.name === pod.name)
}

function look(q: Inquiry, pod: PodObject): Seen {
  const name = `${pod.meta.namespace}/${pod.meta.name}`
  if (pod.hostNetwork) return { state: 'ok', text: `${name} uses the address of its node ${pod.nodeName ?? ''}`.trim() }
  const ips = pod.podIPs.map(parseIp).filter((ip) => ip !== null)
  const first = ips[0]
  if (!first) {
    const waiting = pod.containerStatuses.find((c) => c.waitingReason !== undefined)?.waitingReason
    const event = q.objects.events.find(
      (e) => e.about.name === pod.meta.name && e.about.namespace === pod.meta.namespace && /Sandbox/.test(e.reason),
    )
    const why = event ? `: ${event.message.slice(0, 160)}` : waiting ? ` (${waiting})` : ''
    return { state: 'failed', text: `${name} has no address, phase ${pod.phase}${why}` }
  }
  const text = formatIp(first)
  const netns = netnsOfPod(q.network, pod.meta.namespace, pod.meta.name)
  if (!netns?.known.has('links'))
    return { state: 'ok', text: `${name} has ${text} by its object (its links were not collected)` }
  const link = netns.links.find((l) => l.addresses.some((a) => ips.some((ip) => ipEquals(a.ip, ip))))
  if (!link) return { state: 'failed', text: `${name} should have ${text}, but no link of the pod carries it` }
  const range = podRanges(q.objects).find(
    (r) => r.node.meta.name === pod.nodeName && r.range.ip.family === first.family,
  )
  const inside =
    range === undefined
      ? ''
      : prefixContains(range.range, first)
        ? ` from the range of ${pod.nodeName}`
        : ' (not from the range in its Node object; some IPAMs do that)'
  return { state: 'ok', text: `${name} has ${text} on ${link.name}${inside}` }
}
