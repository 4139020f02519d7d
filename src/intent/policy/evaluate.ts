/**
 * What the policies of a snapshot decide about one connection. Semantics: networking.k8s.io/v1 API documentation and the "Network
 * Policies" concept page (1.33), network-policy-api for the tiers around it. Replies are always allowed.
 */
import type { KubeObjects } from '../../kubeobj/objects.ts'
import { type PolicyCluster, policyCluster } from './cluster.ts'
import { explainDirection } from './explain.ts'
import { bothDirections, decideDirection, together } from './question.ts'
import type { Decision, PolicyQuestion, PolicyResult } from './result.ts'
import { stagesOf } from './stages.ts'

/**
 * Decides both directions of a connection: egress of `from`, ingress of `to`. `to` and `port` are as after Service
 * translation. Anything that is not in `objects` and matters makes the decision `unknown`.
 */
export function evaluatePolicy(objects: KubeObjects, question: PolicyQuestion): PolicyResult {
  return explain(policyCluster(objects), question)
}

export interface Evaluator {
  /** The decision alone, some microseconds. Equals `explain(question).decision`. */
  decide(question: PolicyQuestion): Decision
  explain(question: PolicyQuestion): PolicyResult
}

/** For many questions about one cluster. */
export function evaluator(cluster: PolicyCluster): Evaluator {
  return {
    decide(question) {
      const { egress, ingress } = bothDirections(cluster, question)
      const out = decideDirection(egress)
      return out === 'deny' ? out : together(out, decideDirection(ingress))
    },
    explain: (question) => explain(cluster, question),
  }
}

function explain(cluster: PolicyCluster, question: PolicyQuestion): PolicyResult {
  const asked = bothDirections(cluster, question)
  const egress = explainDirection(asked.egress)
  const ingress = explainDirection(asked.ingress)
  const { issues } = stagesOf(cluster)
  return { decision: together(egress.decision, ingress.decision), egress, ingress, issues }
}
