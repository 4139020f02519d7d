/**
 * All questions at once: who may reach whom, on which ports. Computed row by row over classes of ends; nothing of the size
 * pods × pods is ever kept. docs/design/policy.md.
 */
import type { Ip } from '../../../base/ip.ts'
import type { PodObject } from '../../../kubeobj/objects.ts'
import type { PolicyCluster } from '../cluster.ts'
import type { Direction } from '../policy.ts'
import { stagesOf } from '../stages.ts'
import { type AddressSpace, addressSpace } from './address-space.ts'
import { type EndClass, type GroupBy, listEnds, type MatrixEnd, type WorkloadName } from './ends.ts'
import { type FaceBook, faceBook } from './faces.ts'
import { finder } from './found.ts'
import { mentionsOf } from './mentions.ts'
import { type PortSet, type PortSets, portSets } from './port-sets.ts'
import { outcomeTable, type VerdictRow, verdictsOf } from './verdicts.ts'

export interface MatrixOptions {
  readonly by: GroupBy
  readonly workloadOf: WorkloadName
  /** Pods that are left out here have no row and no column; default all. */
  readonly take?: (pod: PodObject) => boolean
}

export interface PolicyMatrix {
  readonly ends: readonly MatrixEnd[]
  readonly sets: PortSets
  readonly space: AddressSpace
  readonly split: readonly string[]
  /**
   * Connections from one end to every end, by its number; `PAIR_NONE` from outside to outside. In its own place stands what one
   * of its pods may do to another; of a pod alone it means nothing.
   */
  readonly row: (from: MatrixEnd) => Uint32Array
  /** Ends with the same key have the same row. */
  readonly rowKey: (from: MatrixEnd) => string
  /** The end a pod is in; null: it is in none. */
  readonly endOf: (pod: PodObject) => number | null
  /** The end outside that holds an address. */
  readonly outsideEndOf: (ip: Ip) => number
  /** What a number of a row means. */
  readonly pair: (id: number) => Pair
}

export interface Pair {
  /** Ports that are allowed for sure. */
  readonly allowed: PortSet
  /** Ports of which it is not known. */
  readonly unknown: PortSet
}

export const PAIR_NONE = 0

/** The matrix of all policies of the cluster. */
export function policyMatrix(cluster: PolicyCluster, options: MatrixOptions): PolicyMatrix {
  const { stages } = stagesOf(cluster)
  const mentions = mentionsOf(stages)
  const space = addressSpace(mentions.blocks)
  const book = faceBook(mentions, space)
  const take = options.take ?? (() => true)
  const { ends, classes, split, endOfPod } = listEnds(cluster, book, space, { ...options, take })
  const sets = portSets(mentions.protocols)
  const find = finder(cluster, book.faces, mentions, space)
  const outcomes = outcomeTable()
  const verdicts = verdictsOf({ cluster, book, mentions, sets, outcomes, find })
  const combine = combiner(sets, outcomes, book, cluster)

  const ingress = classes.map((c) => (c.subject === null ? null : verdicts.row(c.subject, 'ingress', false)))
  const classRow = (from: EndClass): Uint32Array => {
    const egress = from.subject === null ? null : verdicts.row(from.subject, 'egress', false)
    const out = new Uint32Array(classes.length)
    for (const to of classes)
      out[to.id] = combine.pair(combine.side(from, egress, to.asTo), combine.side(to, ingress[to.id]!, from.asFrom))
    return out
  }

  /** Between a pod and its own node other stages hold. */
  const ownNodePair = (from: EndClass, to: EndClass): number => {
    const side = (near: EndClass, direction: Direction, faces: readonly number[]) =>
      combine.near(near, near.subject === null ? null : verdicts.row(near.subject, direction, true), faces)
    return combine.pair(side(from, 'egress', to.asTo), side(to, 'ingress', from.asFrom))
  }

  const onNode = new Map<string, MatrixEnd[]>()
  for (const end of ends) {
    if (end.node === null) continue
    const list = onNode.get(end.node)
    if (list) list.push(end)
    else onNode.set(end.node, [end])
  }
  const hosts = new Set(ends.flatMap((e) => (e.host && e.node !== null ? [e.node] : [])))
  let last: { readonly key: number; readonly row: Uint32Array } | null = null
  return {
    ends,
    sets,
    space,
    split,
    pair: combine.meaning,
    endOf: (pod) => endOfPod.get(pod) ?? null,
    outsideEndOf: (ip) => ends.length - space.regions + space.regionOf(ip),
    rowKey: ({ class: id, host, node }) => `${id} ${host} ${node !== null && hosts.has(node) ? node : ''}`,
    row(from) {
      if (last?.key !== from.class) last = { key: from.class, row: classRow(classes[from.class]!) }
      const { row } = last
      const out = new Uint32Array(ends.length)
      const outside = from.kind === 'outside'
      for (let i = 0; i < ends.length; i++) {
        const to = ends[i]!
        out[i] = outside && to.kind === 'outside' ? PAIR_NONE : row[to.class]!
      }
      if (from.node !== null && hosts.has(from.node))
        for (const to of onNode.get(from.node) ?? [])
          if (from.host !== to.host) out[to.id] = ownNodePair(classes[from.class]!, classes[to.class]!)
      return out
    },
  }
}

interface Combiner {
  /** The number of the outcome of one direction; of several addresses of the far end it is not known which it has here. */
  readonly side: (near: EndClass, row: VerdictRow, faces: readonly number[]) => number
  /** As `side` where all policies are known. */
  readonly near: (near: EndClass, row: VerdictRow, faces: readonly number[]) => number
  /** Both directions must allow. */
  readonly pair: (egress: number, ingress: number) => number
  readonly meaning: (id: number) => Pair
}

function combiner(
  sets: PortSets,
  outcomes: ReturnType<typeof outcomeTable>,
  book: FaceBook,
  cluster: PolicyCluster,
): Combiner {
  const free = outcomes.of({ allow: sets.all, deny: sets.none })
  const unclear = outcomes.of({ allow: sets.all, deny: sets.all })
  const pairs: Pair[] = []
  const pairIds = new Map<number, number>()
  const pairOf = (allow: PortSet, deny: PortSet): number => {
    const key = allow * 2 ** 26 + deny
    let id = pairIds.get(key)
    if (id === undefined) {
      id = pairs.push({ allowed: sets.subtract(allow, deny), unknown: sets.intersect(allow, deny) }) - 1
      pairIds.set(key, id)
    }
    return id
  }
  pairOf(sets.none, sets.all)
  const memo: Int32Array[] = []
  const compute = (x: number, y: number): number => {
    const a = outcomes.get(x)
    const b = outcomes.get(y)
    return pairOf(sets.intersect(a.allow, b.allow), sets.union(a.deny, b.deny))
  }
  /** Subjects about which policies may say more than is known: of kinds that are not evaluated, or not in the evidence. */
  const open = new Set(
    book.subjects
      .filter(
        (s) => !cluster.policiesKnown || cluster.foreign.some((f) => f.within === null || f.within === s.end.namespace),
      )
      .map((s) => s.id),
  )
  const families = (faces: readonly number[]) => faces.map((f) => book.faces[f]!.family)
  const ofRow: Combiner['near'] = (near, row, faces) => {
    if (near.subject === null) return near.known ? free : unclear
    if (row === null) return free
    if (faces.length === 1) return row[faces[0]!]!
    const spoken = families(near.asFrom)
    const common = faces.filter((f) => {
      const { family } = book.faces[f]!
      return family === null || spoken.includes(null) || spoken.includes(family)
    })
    let allow = sets.none
    let deny = sets.none
    for (const f of common.length > 0 ? common : faces) {
      const one = outcomes.get(row[f]!)
      allow = sets.union(allow, one.allow)
      deny = sets.union(deny, one.deny)
    }
    return outcomes.of({ allow, deny })
  }
  return {
    near: ofRow,
    side(near, row, faces) {
      if (open.size > 0 && near.subject !== null && open.has(near.subject)) return unclear
      return row !== null && faces.length === 1 ? row[faces[0]!]! : ofRow(near, row, faces)
    },
    pair(x, y) {
      let line = memo[x]
      if (!line || line.length <= y) {
        const grown = new Int32Array(Math.max(64, outcomes.size() * 2)).fill(-1)
        if (line) grown.set(line)
        line = grown
        memo[x] = line
      }
      if (line[y]! < 0) line[y] = compute(x, y)
      return line[y]!
    },
    meaning: (id) => pairs[id]!,
  }
}
