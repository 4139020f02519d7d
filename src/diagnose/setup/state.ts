/** How far the set-up of the cluster has come. */
import type { Evidence } from '../../model/evidence.ts'
import type { NetworkState } from '../../model/finding.ts'
import type { ClusterState } from '../cluster/check.ts'

export interface SetupState {
  readonly state: 'step1' | 'step2-ok' | 'case-a' | 'case-b' | 'other' | 'unknown'
  readonly hostNetwork: NetworkState
  readonly containerNetwork: NetworkState
  readonly because: string
  readonly evidence: readonly Evidence[]
}

/** What the objects say of the set-up. */
export function setupState(_state: ClusterState): SetupState {
  return {
    state: 'unknown',
    hostNetwork: 'unknown',
    containerNetwork: 'unknown',
    because: 'the set-up state was not looked at',
    evidence: [],
  }
}
