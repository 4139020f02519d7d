/** Every cluster check. Their order does not matter: doctor ranks by severity and by what breaks. */

import { SETUP_CHECKS } from '../checks/cni/index.ts'
import { DNS_CHECKS } from '../checks/dns/index.ts'
import { INGRESS_CHECKS } from '../checks/ingress/index.ts'
import { MESH_CHECKS } from '../checks/mesh/index.ts'
import { POLICY_CHECKS } from '../checks/policy/index.ts'
import { SERVICE_CHECKS } from '../checks/service/index.ts'
import { kubeProxyRules } from '../checks/service/kube-proxy-rules.ts'
import { kubeProxySlow } from '../checks/service/kube-proxy-slow.ts'
import { MOMENT_CHECKS } from '../checks/timing/moments.ts'
import type { ClusterCheck } from './check.ts'
import { NODE_STATE_CHECKS } from './node-state.ts'

export const CLUSTER_CHECKS: readonly ClusterCheck[] = [
  ...MOMENT_CHECKS,
  ...POLICY_CHECKS,
  ...SERVICE_CHECKS,
  ...SETUP_CHECKS,
  ...MESH_CHECKS,
  ...DNS_CHECKS,
  ...INGRESS_CHECKS,
  ...NODE_STATE_CHECKS,
  kubeProxyRules,
  kubeProxySlow,
]
