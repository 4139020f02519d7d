/** Ends that policies do not tell apart, taken together: the parties between which an expectation is judged. */
import { formatIp, type Ip } from '../../base/ip.ts'
import type { MatrixEnd, PolicyMatrix } from '../../intent/policy/matrix/index.ts'
import type { PolicyEnd } from '../../intent/policy/result.ts'
import type { PodObject } from '../../kubeobj/objects.ts'
import { addressOf, intersect, type Range, union } from './addresses.ts'
import type { EndSet } from './ends.ts'
import type { WantedPort, Wants } from './wanted.ts'

export interface Party {
  /** Its end in the matrix; null: the matrix has none (a node), it is asked about alone. */
  readonly matrixEnd: MatrixEnd | null
  /** Empty for addresses and nodes. */
  readonly pods: readonly PodObject[]
  /** One of them, as policies see it. */
  readonly sample: PolicyEnd
  readonly text: string
  /** How many addresses outside it stands for. */
  readonly addresses: bigint
  /** Of parties that are reached. */
  readonly wanted: readonly WantedPort[]
}

/** How many ends it stands for. */
export const sizeOf = (p: Party): number => Math.max(1, p.pods.length)

const NOTHING: readonly WantedPort[] = []

export interface PartyBook {
  readonly partiesOf: (set: EndSet, wants: Wants | null) => readonly Party[]
}

/** `nameOf`: a pod as references are written. */
export function partyBook(matrix: PolicyMatrix, nameOf: (pod: PodObject) => string): PartyBook {
  const regions = new Map<number, Range[]>()
  for (const { region, family, from, to } of matrix.space.ranges) {
    const list = regions.get(region)
    if (list) list.push({ family, from, to })
    else regions.set(region, [{ family, from, to }])
  }
  const regionList = [...regions.values()].map((r) => union(r))

  const senders = new WeakMap<EndSet, readonly Party[]>()
  return {
    partiesOf(set, wants) {
      if (wants && !wants.same) return find(set, wants)
      const known = senders.get(set) ?? find(set, null)
      senders.set(set, known)
      const wanted = wants?.same
      return wanted ? known.map((p) => ({ ...p, wanted })) : known
    },
  }

  function find(set: EndSet, wants: Wants | null): readonly Party[] {
    const texts = new Map<readonly WantedPort[], string>()
    const groups = new Map<string, { end: MatrixEnd; pods: PodObject[]; wanted: readonly WantedPort[] }>()
    for (const pod of set.pods) {
      const id = matrix.endOf(pod)
      const end = id === null ? undefined : matrix.ends[id]
      if (!end) continue
      const wanted = wants?.(pod) ?? NOTHING
      if (wants && wanted.length === 0) continue
      let ports = texts.get(wanted)
      if (ports === undefined) {
        ports = wanted.map((w) => `${w.protocol} ${w.port}`).join()
        texts.set(wanted, ports)
      }
      const key = `${end.class} ${ports}`
      const group = groups.get(key)
      if (group) group.pods.push(pod)
      else groups.set(key, { end, pods: [pod], wanted })
    }
    const out: Party[] = [...groups.values()].map(({ end, pods, wanted }) => ({
      matrixEnd: end,
      pods,
      sample: { kind: 'pod', namespace: pods[0]!.meta.namespace || 'default', name: pods[0]!.meta.name },
      text: nameOf(pods[0]!),
      addresses: 0n,
      wanted,
    }))
    const wanted = wants?.(null) ?? []
    if (!wants || wanted.length > 0) {
      for (const region of set.outside.length === 0 ? [] : regionList) {
        const inside = intersect(region, set.outside)
        if (inside.length > 0) out.push(outside(inside, wanted))
      }
      for (const { end, text } of set.special)
        out.push({ matrixEnd: null, pods: [], sample: end, text, addresses: 0n, wanted })
    }
    return out
  }

  function outside(inside: readonly Range[], wanted: readonly WantedPort[]): Party {
    const ip = sampleOf(inside)
    const end = matrix.ends[matrix.outsideEndOf(ip)]!
    const addresses = inside.reduce((n, r) => n + r.to - r.from + 1n, 0n)
    return { matrixEnd: end, pods: [], sample: { kind: 'ip', ip }, text: formatIp(ip), addresses, wanted }
  }
}

/** An address that looks like what it stands for: not the first of a range, which may be a network's. */
function sampleOf(ranges: readonly Range[]): Ip {
  const [first] = ranges
  const best = ranges.find((r) => r.to - r.from > 1n) ?? first!
  return addressOf(best.family, best.to > best.from ? best.from + 1n : best.from)
}
