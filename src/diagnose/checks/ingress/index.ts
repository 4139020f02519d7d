import type { ClusterCheck } from '../../cluster/check.ts'
import { ingressBackend } from './backend.ts'
import { ingressClass, ingressController } from './class.ts'
import { gatewayClass, gatewayRoute } from './gateway.ts'
import { proxyProtocol } from './proxy-protocol.ts'
import { webhookUnreachable } from './webhook.ts'

/** What stands between a client and the Services: Ingress, Gateway API, admission webhooks. */
export const INGRESS_CHECKS: readonly ClusterCheck[] = [
  ingressClass,
  ingressController,
  ingressBackend,
  gatewayClass,
  gatewayRoute,
  proxyProtocol,
  webhookUnreachable,
]
