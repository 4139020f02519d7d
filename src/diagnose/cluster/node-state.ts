/** Checks of what the nodes' kernels hold: sysctls, links, tunnels, tables, counters. */
import { conntrackFull } from '../checks/conntrack/full.ts'
import { conntrackInsertRace } from '../checks/conntrack/insert-race.ts'
import { conntrackInvalid } from '../checks/conntrack/invalid.ts'
import { snatPortExhaustion } from '../checks/conntrack/snat-ports.ts'
import { conntrackStaleState } from '../checks/conntrack/stale.ts'
import { ipvsAddressConflict } from '../checks/ipvs/address-conflict.ts'
import { ipvsConnReuse } from '../checks/ipvs/conn-reuse.ts'
import { ipvsPortCollision } from '../checks/ipvs/port-collision.ts'
import { captureLeftovers } from '../checks/leftovers/capture.ts'
import { podLinkState } from '../checks/links/pod-links.ts'
import { mtuMismatch } from '../checks/mtu/mismatch.ts'
import { loadBalancerAddresses } from '../checks/neighbour/load-balancer.ts'
import { neighbourTableFull } from '../checks/neighbour/table-full.ts'
import { backendMixedState } from '../checks/netfilter/backend-mixed-state.ts'
import { markConflict } from '../checks/netfilter/mark-conflict.ts'
import { masqueradeUnwanted } from '../checks/netfilter/masquerade-unwanted.ts'
import { nodePortBlocked } from '../checks/netfilter/node-port-blocked.ts'
import { nodePortClaims } from '../checks/netfilter/node-port-claims.ts'
import { rulesFlushed } from '../checks/netfilter/rules-flushed.ts'
import { tunnelChecksum } from '../checks/overlay/checksum.ts'
import { tunnelEnds } from '../checks/overlay/end-state.ts'
import { tunnelPeers } from '../checks/overlay/peer-entries.ts'
import { bridgeNetfilterState } from '../checks/sysctl/bridge-netfilter-state.ts'
import { forwardingState } from '../checks/sysctl/forwarding-state.ts'
import { ipv6DefaultRoute } from '../checks/sysctl/ipv6-default.ts'
import { portRangeOverlap } from '../checks/sysctl/port-range.ts'
import { rpFilterState } from '../checks/sysctl/rp-filter-state.ts'
import { twRecycle } from '../checks/sysctl/tw-recycle.ts'
import { acceptQueueOverflow } from '../checks/timing/accept-queue.ts'
import { cpuThrottled } from '../checks/timing/cpu-throttled.ts'
import type { ClusterCheck } from './check.ts'

export const NODE_STATE_CHECKS: readonly ClusterCheck[] = [
  forwardingState,
  bridgeNetfilterState,
  rpFilterState,
  portRangeOverlap,
  twRecycle,
  ipv6DefaultRoute,
  podLinkState,
  tunnelEnds,
  tunnelPeers,
  tunnelChecksum,
  mtuMismatch,
  neighbourTableFull,
  loadBalancerAddresses,
  conntrackFull,
  conntrackInsertRace,
  conntrackInvalid,
  conntrackStaleState,
  snatPortExhaustion,
  masqueradeUnwanted,
  markConflict,
  ipvsConnReuse,
  ipvsPortCollision,
  ipvsAddressConflict,
  backendMixedState,
  rulesFlushed,
  nodePortClaims,
  nodePortBlocked,
  cpuThrottled,
  acceptQueueOverflow,
  captureLeftovers,
]
