/**
 * Every check, the most specific cause first: the first that explains a failure names it. A packet dropped by a rule may
 * be explained by the objects (a Service without endpoints, a policy) before it is anybody's firewall; a missing route by
 * the tunnel that took it along; and only what nothing explains is a silent neighbour.
 */
import { dnsNameserverWrong, dnsUpstream } from './checks/dns/dns.ts'
import { calicoGateway } from './checks/neighbour/calico-gateway.ts'
import { neighbourChecks, neighbourLast } from './checks/neighbour/neighbour.ts'
import { conntrackInvalidDrop } from './checks/netfilter/conntrack-invalid.ts'
import {
  apiServerHostFirewall,
  chainPolicyDrop,
  hostFirewall,
  podFirewallDrop,
} from './checks/netfilter/host-firewall.ts'
import { packetLossByRule } from './checks/netfilter/packet-loss.ts'
import { tunnelBlocked } from './checks/netfilter/tunnel-blocked.ts'
import { nodeAddressWrong } from './checks/node/misdelivered.ts'
import { tunnelChecks, underlayChecks } from './checks/overlay/tunnel.ts'
import { dadFailed, ipv6Disabled } from './checks/pod/ipv6.ts'
import { linkChecks } from './checks/pod/link.ts'
import { podRouteMissing } from './checks/pod/route.ts'
import { policyDenies, policyDisagrees } from './checks/policy/denied.ts'
import { masqueradeMissing } from './checks/routing/masquerade.ts'
import { noWay } from './checks/routing/no-way.ts'
import { overlaps, sourceBlackholed } from './checks/routing/overlap.ts'
import { apiServerEndpointStale } from './checks/service/api-endpoint.ts'
import { headlessPort, hostPortNotProgrammed, listener, serviceTarget } from './checks/service/listener.ts'
import { localTrafficPolicy } from './checks/service/local-policy.ts'
import { noEndpoints } from './checks/service/no-endpoints.ts'
import { notrack, notTranslated } from './checks/service/not-translated.ts'
import { translatedWrong } from './checks/service/translated-wrong.ts'
import { bridgeNetfilterOff, forwardingOff, rpFilterDrop } from './checks/sysctl/forwarding.ts'
import type { Check } from './inquiry.ts'

export const CHECKS: readonly Check[] = [
  calicoGateway,
  nodeAddressWrong,
  packetLossByRule,
  tunnelBlocked,
  notrack,
  conntrackInvalidDrop,
  noEndpoints,
  localTrafficPolicy,
  dnsUpstream,
  policyDenies,
  apiServerHostFirewall,
  podFirewallDrop,
  policyDisagrees,
  chainPolicyDrop,
  hostFirewall,
  forwardingOff,
  sourceBlackholed,
  rpFilterDrop,
  bridgeNetfilterOff,
  dadFailed,
  ipv6Disabled,
  ...translatedWrong,
  apiServerEndpointStale,
  dnsNameserverWrong,
  notTranslated,
  ...tunnelChecks,
  podRouteMissing,
  ...linkChecks,
  ...overlaps,
  ...noWay,
  ...neighbourChecks,
  masqueradeMissing,
  ...underlayChecks,
  hostPortNotProgrammed,
  headlessPort,
  serviceTarget,
  listener,
  ...neighbourLast,
]
