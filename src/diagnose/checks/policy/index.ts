import type { ClusterCheck } from '../../cluster/check.ts'
import { dnsEgress } from './dns-egress.ts'
import { selectorJoin } from './selector-join.ts'

/** NetworkPolicies that say something else than was meant. */
export const POLICY_CHECKS: readonly ClusterCheck[] = [dnsEgress, selectorJoin]
