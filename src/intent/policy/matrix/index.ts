/** Who may reach whom, on which ports: all questions at once. */
export { type AddressSpace, nameRegions } from './address-space.ts'
export type { GroupBy, MatrixEnd } from './ends.ts'
export { exposureView } from './exposure.ts'
export { type MatrixOptions, PAIR_NONE, type Pair, type PolicyMatrix, policyMatrix } from './matrix.ts'
export { portNames } from './port-sets.ts'
export { namespaceView, type ViewOptions, viewOf } from './view.ts'
export { workloadNames } from './workload-name.ts'
