import type { ClusterCheck } from '../../cluster/check.ts'
import { serviceEndpoints } from './endpoints-state.ts'
import { loadBalancerHairpin, loadBalancerPending } from './load-balancer.ts'
import { dualStackBackends, localEndpoints } from './reach-state.ts'
import { serviceTargets } from './target-state.ts'

/** Services judged by their objects and by what their pods listen on. */
export const SERVICE_CHECKS: readonly ClusterCheck[] = [
  serviceEndpoints,
  serviceTargets,
  localEndpoints,
  dualStackBackends,
  loadBalancerPending,
  loadBalancerHairpin,
]
