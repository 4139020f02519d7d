/** Cluster checks of set-up: network plugin, addresses, ranges, nodes, containers. */
import type { ClusterCheck } from '../../cluster/check.ts'
import { nodeAddressDuplicate, nodeAddressState } from '../node/address-state.ts'
import { apiServerUnreachable } from '../node/api-server.ts'
import { containerNotReady } from '../node/container.ts'
import { nodeNotReady } from '../node/not-ready.ts'
import { bridgeAddressWrong } from './bridge-address.ts'
import { cniConfigConflict, cniConfigInvalid, cniConfigMissing } from './config.ts'
import { policyNotEnforced } from './enforcement.ts'
import { hostPortState } from './host-port.ts'
import { ipamExhausted, podAddressDuplicate } from './ipam.ts'
import { overlapExternal } from './overlap-external.ts'
import { overlapNode } from './overlap-node.ts'
import { overlapService } from './overlap-service.ts'
import { podAddressWrong, podPrefixWrong } from './pod-address.ts'
import { podCidr } from './pod-cidr.ts'
import { cniPluginMissing, sandboxCreationFailed } from './sandbox.ts'
import { vpnInPodRange } from './vpn-route.ts'

export const SETUP_CHECKS: readonly ClusterCheck[] = [
  nodeNotReady,
  apiServerUnreachable,
  nodeAddressState,
  nodeAddressDuplicate,
  cniConfigMissing,
  cniConfigInvalid,
  cniConfigConflict,
  cniPluginMissing,
  sandboxCreationFailed,
  podCidr,
  ipamExhausted,
  podAddressDuplicate,
  podAddressWrong,
  podPrefixWrong,
  bridgeAddressWrong,
  hostPortState,
  policyNotEnforced,
  overlapNode,
  overlapService,
  overlapExternal,
  vpnInPodRange,
  containerNotReady,
]
