/** Every fault the lab can be given. */
import type { Fault } from './fault.ts'
import { NETFILTER_FAULTS } from './netfilter.ts'
import { NETWORK_FAULTS } from './network.ts'
import { OBJECT_FAULTS } from './objects.ts'

export const FAULTS: readonly Fault[] = [...NETWORK_FAULTS, ...NETFILTER_FAULTS, ...OBJECT_FAULTS]
