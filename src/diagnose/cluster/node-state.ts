/** Checks of what the nodes' kernels hold: sysctls, links, tunnels, tables, counters. */
import { podLinkState } from '../checks/links/pod-links.ts'
import { mtuMismatch } from '../checks/mtu/mismatch.ts'
import { tunnelChecksum } from '../checks/overlay/checksum.ts'
import { tunnelEnds } from '../checks/overlay/end-state.ts'
import { tunnelPeers } from '../checks/overlay/peer-entries.ts'
import { bridgeNetfilterState } from '../checks/sysctl/bridge-netfilter-state.ts'
import { forwardingState } from '../checks/sysctl/forwarding-state.ts'
import { ipv6DefaultRoute } from '../checks/sysctl/ipv6-default.ts'
import { portRangeOverlap } from '../checks/sysctl/port-range.ts'
import { rpFilterState } from '../checks/sysctl/rp-filter-state.ts'
import { twRecycle } from '../checks/sysctl/tw-recycle.ts'
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
]
