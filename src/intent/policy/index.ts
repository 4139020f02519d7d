/** Exact evaluation of networking.k8s.io/v1 NetworkPolicy: who decides about a connection, and why. */
export { evaluatePolicy } from './evaluate.ts'
export type { Direction, Requirement } from './policy.ts'
export type {
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
