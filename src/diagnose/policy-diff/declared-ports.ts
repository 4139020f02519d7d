/** Ports somebody means to use: what the containers of an end declare, and where Services in front of it lead. */
import type { KubeObjects, PodObject, ServiceObject } from '../../kubeobj/objects.ts'
import { targets } from './dns-target.ts'

export interface DeclaredPort {
  /** Upper case. */
  readonly protocol: string
  readonly port: number
}

/** Asks about the same objects are quick after the first. */
export function declaredPorts(objects: KubeObjects): (pods: readonly PodObject[]) => readonly DeclaredPort[] {
  const services = new Map<string, ServiceObject[]>()
  for (const s of objects.services) {
    const list = services.get(s.meta.namespace)
    if (list) list.push(s)
    else services.set(s.meta.namespace, [s])
  }
  const memo = new WeakMap<readonly PodObject[], readonly DeclaredPort[]>()
  return (pods) => {
    const known = memo.get(pods)
    if (known) return known
    const found = new Map<string, DeclaredPort>()
    const add = (protocol: string, port: number) => found.set(`${protocol} ${port}`, { protocol, port })
    // Replicas are alike: the first speaks for them.
    const pod = pods[0]
    for (const c of pod?.containers ?? []) for (const p of c.ports) add(p.protocol.toUpperCase(), p.containerPort)
    for (const s of pod ? (services.get(pod.meta.namespace) ?? []) : []) {
      const selector = Object.entries(s.selector ?? {})
      if (selector.length === 0 || !selector.every(([k, v]) => pod!.meta.labels[k] === v)) continue
      for (const p of s.ports)
        for (const t of targets(p.targetPort, pod!, p.protocol)) {
          const [protocol = '', port = ''] = t.split(' ')
          add(protocol, Number(port))
        }
    }
    const out = [...found.values()].sort((x, y) =>
      x.protocol < y.protocol ? -1 : x.protocol > y.protocol ? 1 : x.port - y.port,
    )
    memo.set(pods, out)
    return out
  }
}
