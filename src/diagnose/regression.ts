/**
 * Does a remedy break what works? Other connections of the cluster, traced before and after: every Service and DNS from two pods,
 * nodes to pods, pods to pods, node ports and the way out; those that touch a changed node first.
 */
import type { KubeObjects, PodObject } from '../kubeobj/objects.ts'
import type { Network } from '../model/network.ts'
import { questionText, type SampleQuestion, sampleQuestions } from './doctor/sample.ts'
import { ask } from './question/ask.ts'
import { type Asked, traceAsked } from './question/asked.ts'
import { QuestionError } from './question/resolve.ts'

/** Most connections traced that begin or end on a changed node, and of the others: a remedy is tried while somebody waits. */
const MOST_NEAR = 90
const MOST_FAR = 30
/** Services and pods of other nodes that are considered at all. */
const MOST_OBJECTS = 60
/** Most names in a remedy. */
const MOST_NAMED = 3

/** Share of the connections of a question that get through; to leave what was collected is success for the way out only. */
function success(network: Network, asked: Asked, q: SampleQuestion): number {
  const ends = q.traffic === 'outside' ? ['delivered', 'exits-network'] : ['delivered']
  return traceAsked(network, asked)
    .filter((b) => ends.includes(b.trace.disposition))
    .reduce((sum, b) => sum + b.trace.probability, 0)
}

/** Names resolved; null for what cannot be asked of this evidence. */
function understood(network: Network, objects: KubeObjects, q: SampleQuestion): Asked | null {
  try {
    return ask(network, objects, { from: q.from, to: q.to, protocol: q.protocol, namespace: 'default' })
  } catch (e) {
    if (e instanceof QuestionError) return null
    throw e
  }
}

function changedNodes(before: Network, after: Network): Set<string> {
  return new Set([...after.netns.values()].filter((n) => before.netns.get(n.id) !== n).map((n) => n.node))
}

/** `pod/shop/web-1` and `pod/shop/web-1:80` by the node of the pod, `node/node2` by its own name. */
function nodesOf(objects: KubeObjects): (reference: string) => string | undefined {
  const pods = new Map(objects.pods.map((p) => [`pod/${p.meta.namespace}/${p.meta.name}`, p.nodeName]))
  return (reference) => {
    const name = reference.replace(/:\d+$/, '')
    return name.startsWith('node/') ? name.slice(5) : pods.get(name)
  }
}

/** At most `most` of the list, evenly from all of it. */
function spread<T>(list: readonly T[], most: number): T[] {
  return list.length <= most ? [...list] : list.filter((_, i) => (i * most) % list.length < most)
}

/** The connections a remedy is tried on: those near what it changes, and some far from it. */
export function regressionSet(before: Network, after: Network, objects: KubeObjects): SampleQuestion[] {
  const changed = changedNodes(before, after)
  const isNear = (p: PodObject) => p.nodeName !== undefined && changed.has(p.nodeName)
  const some: KubeObjects = {
    ...objects,
    services: spread(objects.services, MOST_OBJECTS),
    pods: [
      ...spread(objects.pods.filter(isNear), MOST_OBJECTS),
      ...spread(
        objects.pods.filter((p) => !isNear(p)),
        MOST_OBJECTS,
      ),
    ],
  }
  const nodeOf = nodesOf(some)
  const near: SampleQuestion[] = []
  const far: SampleQuestion[] = []
  for (const q of sampleQuestions({ network: before, objects: some })) {
    const touches = [q.from, q.to].some((r) => changed.has(nodeOf(r) ?? '')) || q.from === 'external'
    const list = touches ? near : far
    list.push(q)
  }
  return [...spread(near, MOST_NEAR), ...spread(far, MOST_FAR)]
}

/** Connections that fare worse on `after` than on `before`, at most three, for people. */
export function brokenBy(before: Network, after: Network, objects: KubeObjects): string[] {
  const out: string[] = []
  for (const q of regressionSet(before, after, objects)) {
    const asked = understood(before, objects, q)
    if (!asked) continue
    const now = success(before, asked, q)
    if (now > 1e-9 && success(after, asked, q) < now - 1e-9) out.push(questionText(q))
    if (out.length === MOST_NAMED) break
  }
  return out
}
