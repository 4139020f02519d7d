/** Every cluster check. Their order does not matter: doctor ranks by severity and by what breaks. */
import { kubeProxyRules } from '../checks/service/kube-proxy-rules.ts'
import type { ClusterCheck } from './check.ts'
import { NODE_STATE_CHECKS } from './node-state.ts'

export const CLUSTER_CHECKS: readonly ClusterCheck[] = [...NODE_STATE_CHECKS, kubeProxyRules]
