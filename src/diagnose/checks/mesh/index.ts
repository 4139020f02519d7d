import type { ClusterCheck } from '../../cluster/check.ts'
import { meshMtlsState } from './mtls.ts'
import { meshProtocol } from './protocol.ts'
import { meshRedirect } from './redirect.ts'

export const MESH_CHECKS: readonly ClusterCheck[] = [meshMtlsState, meshProtocol, meshRedirect]
