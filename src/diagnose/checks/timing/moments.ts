import type { ClusterCheck } from '../../cluster/check.ts'
import { notRebalanced } from './balance.ts'
import { rolloutRace } from './rollout.ts'

/** What goes wrong only at some moments: rollouts, long-lived connections. */
export const MOMENT_CHECKS: readonly ClusterCheck[] = [rolloutRace, notRebalanced]
