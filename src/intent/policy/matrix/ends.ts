/** The rows and columns of a matrix: pods, or workloads whose replicas policies do not tell apart, and the outside. */
import type { PodObject } from '../../../kubeobj/objects.ts'
import { hasEnded, type PolicyCluster } from '../cluster.ts'
import { type End, resolveEnd } from '../end.ts'
import { type AddressSpace, nameRegions } from './address-space.ts'
import type { FaceBook } from './faces.ts'

export type GroupBy = 'workload' | 'pod' | 'namespace'

export interface MatrixEnd {
  readonly id: number
  readonly kind: 'pods' | 'outside'
  /** As references are written: `deploy/shop/web`, `pod/shop/x`, a CIDR or range, `external`. */
  readonly name: string
  /** Empty for the outside. */
  readonly namespace: string
  /** Pods it stands for; 0 for the outside. */
  readonly size: number
  /** Shares the network of its node. */
  readonly host: boolean
  /** The node all of its pods are on; null: several, or not known. */
  readonly node: string | null
  /** Ends of one class have the same connections, but for those to themselves and to their own node. */
  readonly class: number
}

/** What decides about an end: see Face and Subject. */
export interface EndClass {
  readonly id: number
  readonly subject: number | null
  /** The end is known to be no subject of policies (false: it is not known what it is). */
  readonly known: boolean
  readonly asFrom: readonly number[]
  readonly asTo: readonly number[]
}

export interface EndList {
  readonly ends: readonly MatrixEnd[]
  readonly classes: readonly EndClass[]
  readonly endOfPod: ReadonlyMap<PodObject, number>
  /** Workloads whose pods policies tell apart: they are listed pod by pod. */
  readonly split: readonly string[]
}

/** The workload a pod belongs to, as a reference; null for a pod on its own. */
export type WorkloadName = (pod: PodObject) => string | null

interface Draft {
  readonly pod: PodObject
  readonly name: string
  readonly namespace: string
  readonly class: number
  readonly host: boolean
  readonly node: string | null
}

/**
 * Lists the ends in order of their names, the outside last. `take` chooses the pods. Namespaces are not grouped here: they
 * hold ends that differ.
 */
export function listEnds(
  cluster: PolicyCluster,
  book: FaceBook,
  space: AddressSpace,
  options: { readonly by: GroupBy; readonly workloadOf: WorkloadName; readonly take: (pod: PodObject) => boolean },
): EndList {
  const classes: EndClass[] = []
  const classIds = new Map<string, number>()
  const classOf = (from: End, to: End): number => {
    const subject = book.subjectOf(from)
    const asFrom = book.facesOf(from)
    const asTo = from === to ? asFrom : book.facesOf(to)
    const known = from.kind !== 'unknown'
    const key = `${subject} ${known} ${asFrom.join()} ${asTo.join()}`
    let id = classIds.get(key)
    if (id === undefined) {
      id = classes.push({ id: classes.length, subject, known, asFrom, asTo }) - 1
      classIds.set(key, id)
    }
    return id
  }

  const groups = new Map<string, Draft[]>()
  for (const pod of cluster.pods.values()) {
    if (hasEnded(pod) || !options.take(pod)) continue
    const namespace = pod.meta.namespace || 'default'
    const end = { kind: 'pod', namespace, name: pod.meta.name } as const
    const from = resolveEnd(cluster, end, 'from')
    const to = from.kind === 'node' ? resolveEnd(cluster, end, 'to') : from
    const name = `pod/${namespace}/${pod.meta.name}`
    const group = (options.by === 'pod' ? null : options.workloadOf(pod)) ?? name
    const draft = {
      pod,
      name,
      namespace,
      class: classOf(from, to),
      host: pod.hostNetwork,
      node: from.kind === 'node' || from.kind === 'pod' ? from.node : null,
    }
    const list = groups.get(group)
    if (list) list.push(draft)
    else groups.set(group, [draft])
  }

  const drafts: (Omit<MatrixEnd, 'id'> & { readonly pods: readonly PodObject[] })[] = []
  const split: string[] = []
  for (const [name, list] of groups) {
    const first = list[0]!
    if (list.every((d) => d.class === first.class)) {
      const node = list.every((d) => d.node === first.node) ? first.node : null
      drafts.push({ kind: 'pods', name, size: list.length, node, ...pick(first), pods: list.map((d) => d.pod) })
      continue
    }
    split.push(name)
    for (const d of list) drafts.push({ kind: 'pods', name: d.name, size: 1, node: d.node, ...pick(d), pods: [d.pod] })
  }
  drafts.sort((x, y) => (x.name < y.name ? -1 : x.name > y.name ? 1 : 0))
  for (let region = 0; region < space.regions; region++) {
    const end: End = { kind: 'address', addresses: [space.sampleOf[region]!] }
    const name = nameRegions(space, (r) => r === region).join(', ')
    drafts.push({
      ...{ kind: 'outside', name, namespace: '', size: 0, host: false, node: null, class: classOf(end, end) },
      pods: [],
    })
  }
  const endOfPod = new Map(drafts.flatMap((d, id) => d.pods.map((pod): [PodObject, number] => [pod, id])))
  const ends = drafts.map(({ pods: _, ...end }, id): MatrixEnd => ({ id, ...end }))
  return { ends, classes, endOfPod, split: split.sort() }
}

const pick = ({ namespace, host, class: id }: Draft) => ({ namespace, host, class: id })
