/** Every cluster check. Their order does not matter: doctor ranks by severity and by what breaks. */
import type { ClusterCheck } from './check.ts'

export const CLUSTER_CHECKS: readonly ClusterCheck[] = []
