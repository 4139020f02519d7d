import type { ClusterCheck } from '../../cluster/check.ts'
import { dnsLoop } from './loop.ts'
import { dnsRbac } from './permission.ts'
import { dnsNdots, dnsSearchLimit, dnsSearchWildcard } from './search.ts'
import { dnsSlow, dnsTcp, dnsUpstreamState } from './service-state.ts'

/** The cluster DNS and the pods' search lists, without a question. */
export const DNS_CHECKS: readonly ClusterCheck[] = [
  dnsLoop,
  dnsRbac,
  dnsUpstreamState,
  dnsTcp,
  dnsSlow,
  dnsSearchWildcard,
  dnsSearchLimit,
  dnsNdots,
]
