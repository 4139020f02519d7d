/** Evaluation of network policies of every dialect that is read: who decides about a connection, and why. */
export { type PolicyCluster, policyCluster } from './cluster.ts'
export { type Evaluator, evaluatePolicy, evaluator } from './evaluate.ts'
export type { Direction, Requirement } from './policy.ts'
export { policyText, policyTexts } from './policy-text.ts'
export type {
  DecidedBy,
  Decision,
  DirectionResult,
  PeerConsidered,
  PeerMiss,
  PolicyConsidered,
  PolicyEnd,
  PolicyQuestion,
  PolicyRef,
  PolicyResult,
  PortConsidered,
  PortMiss,
  Reason,
  RuleConsidered,
  ServiceHint,
  Tri,
} from './result.ts'
export { formatRequirement } from './selector.ts'
export { stagesOf } from './stages.ts'
