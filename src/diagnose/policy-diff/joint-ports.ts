/** Port sets of two matrices in one space, so that they can be compared: each numbers its sets and names protocols on its own. */
import { OTHER, type PortSet, type PortSets, portNames, portSets } from '../../intent/policy/matrix/port-sets.ts'

export interface JointPorts {
  readonly sets: PortSets
  readonly fromBefore: (set: PortSet) => PortSet
  readonly fromAfter: (set: PortSet) => PortSet
  /** Every port of TCP, UDP and SCTP: NetworkPolicy does not say what becomes of other protocols. */
  readonly defined: PortSet
}

/** A space that has every protocol of both. */
export function jointPorts(before: PortSets, after: PortSets): JointPorts {
  const sets = portSets([...before.protocols, ...after.protocols])
  const defined = ['TCP', 'UDP', 'SCTP'].map((p) => sets.ofRange(p, 1, 65_535)).reduce(sets.union)
  return { sets, defined, fromBefore: translator(before, sets), fromAfter: translator(after, sets) }
}

function translator(from: PortSets, to: PortSets): (set: PortSet) => PortSet {
  const rest = to.protocols.filter((p) => p === OTHER || !from.protocols.includes(p))
  const memo = new Map<PortSet, PortSet>()
  return (set) => {
    let out = memo.get(set)
    if (out === undefined) {
      out = to.none
      for (const r of from.ranges(set))
        for (const protocol of r.protocol === OTHER ? rest : [r.protocol])
          out = to.union(out, to.ofRange(protocol, r.from, r.to))
      memo.set(set, out)
    }
    return out
  }
}

/** As JSON lists them: `all`, `TCP` (every port), `TCP 80`, `UDP 1-52`, `ICMP`, `other` (protocols no rule names). */
export function portWords(sets: PortSets, set: PortSet): readonly string[] {
  return portNames(sets, set).map((name) => name.replace(/ 1-65535$/, ''))
}
