/** The service account of the pod netwhy runs in (client-go rest.InClusterConfig). */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Access } from './access.ts'

/** Where kubelet mounts it. */
const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount'

/** Null outside a pod: no KUBERNETES_SERVICE_HOST, or no token. `folder` is another place for tests. */
export function inCluster(env: Readonly<Record<string, string | undefined>>, folder = FOLDER): Access | null {
  const host = env.KUBERNETES_SERVICE_HOST
  const port = env.KUBERNETES_SERVICE_PORT
  const file = join(folder, 'token')
  if (!host || !port || !existsSync(file)) return null
  const text = (name: string) => {
    const path = join(folder, name)
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined
  }
  const ca = text('ca.crt')
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: env.POD_NAMESPACE || text('namespace')?.trim() || 'default',
    described: "this pod's service account",
    insecure: false,
    credential: { kind: 'token-file', file },
    impersonate: { groups: [], extra: {} },
    ...(ca === undefined ? {} : { ca }),
  }
}
