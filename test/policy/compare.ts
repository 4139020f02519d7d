/** netwhy's evaluation beside the second opinion: where they differ, and how often `unknown` was said. */
import { parseIp } from '../../src/base/ip.ts'
import { evaluator, type PolicyEnd, type PolicyQuestion, policyCluster } from '../../src/intent/policy/index.ts'
import { decodeObjects } from '../../src/kubeobj/decode.ts'
import type { Cluster, Place, Question } from './manifests.ts'
import { naive } from './naive.ts'

export interface Tally {
  answers: number
  denied: number
  unknown: number
  /** netwhy says unknown where every way it may be gives the same answer. */
  cautious: number
}

export const newTally = (): Tally => ({ answers: 0, denied: 0, unknown: 0, cautious: 0 })

/** Kinds that count as collected, so that an absent policy is none. */
const ASKED = ['Node', 'Namespace', 'Pod', 'Service', 'NetworkPolicy', 'AdminNetworkPolicy', 'ClusterNetworkPolicy']

export function objectsOf(c: Cluster) {
  const lists = ASKED.map((kind) => ({ kind: `${kind}List`, items: [] }))
  const items = [...lists, ...c.namespaces, ...c.nodes, ...c.pods, ...c.policies, ...c.tiers]
  return decodeObjects([{ artefact: 'cluster.json', value: items }]).value
}

function end(p: Place): PolicyEnd {
  if (p.kind !== 'ip') return p
  const ip = parseIp(p.ip)
  if (!ip) throw new Error(`${p.ip} is no address`)
  return { kind: 'ip', ip }
}

export const questionOf = (q: Question): PolicyQuestion => ({ ...q, from: end(q.from), to: end(q.to) })

/** One line per disagreement; none: they agree. */
export function disagreements(cluster: Cluster, questions: readonly Question[], tally: Tally): string[] {
  const { decide, explain } = evaluator(policyCluster(objectsOf(cluster)))
  const out: string[] = []
  for (const q of questions) {
    const opinion = naive(cluster, q)
    if (!opinion) continue
    const asked = questionOf(q)
    const answer = explain(asked)
    for (const direction of ['egress', 'ingress'] as const) {
      const { decision, reason } = answer[direction]
      const { opinion: wanted, ways } = opinion[direction]
      tally.answers++
      if (decision === 'unknown') tally.unknown++
      else if (decision === 'deny') tally.denied++
      if (decision === wanted) continue
      if (decision === 'unknown' && ways > 1) tally.cautious++
      else
        out.push(
          `${JSON.stringify(q)}: ${direction} is ${decision} (${JSON.stringify(reason)}), the texts say ${wanted}`,
        )
    }
    const quick = decide(asked)
    if (quick !== answer.decision) out.push(`${JSON.stringify(q)}: decided ${quick}, explained ${answer.decision}`)
  }
  return out
}
