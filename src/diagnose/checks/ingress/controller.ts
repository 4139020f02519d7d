/** Who serves an IngressClass: the controllers that run as pods of the cluster, known by labels and images of their charts. */
import type { IngressClassObject } from '../../../kubeobj/ingress.ts'
import type { KubeObjects, PodObject } from '../../../kubeobj/objects.ts'
import { isAlive } from '../../view/pod-view.ts'

interface Controller {
  readonly name: string
  /** IngressClass.spec.controller */
  readonly id: RegExp
  readonly image: RegExp
  readonly label: RegExp
}

const CONTROLLERS: readonly Controller[] = [
  {
    name: 'ingress-nginx',
    id: /^k8s\.io\/([a-z0-9-]+-)?ingress-nginx/,
    image: /ingress-nginx\/controller|nginx-ingress-controller|rke2-ingress-nginx/,
    label: /^(rke2-)?ingress-nginx$/,
  },
  { name: 'traefik', id: /^traefik\.io\//, image: /(^|\/)traefik(:|@|$)|mirrored-library-traefik/, label: /^traefik$/ },
  {
    name: 'HAProxy',
    id: /haproxy/,
    image: /haproxy.*ingress|kubernetes-ingress/,
    label: /^(haproxy-ingress|kubernetes-ingress)$/,
  },
  { name: 'F5 NGINX', id: /^nginx\.org\//, image: /nginx-ingress|nginx-plus-ingress/, label: /^nginx-ingress$/ },
  { name: 'Contour', id: /^projectcontour\.io\//, image: /projectcontour\/contour/, label: /^contour$/ },
  { name: 'Kong', id: /konghq\.com\//, image: /kong\/kubernetes-ingress-controller/, label: /^(kong|ingress-kong)$/ },
]

/** Pods of the controller behind a class; null when that kind of controller is not known to run as pods. */
export function controllerPods(
  objects: KubeObjects,
  of: IngressClassObject,
): { readonly name: string; readonly pods: readonly PodObject[] } | null {
  const kind = CONTROLLERS.find((c) => c.id.test(of.controller))
  return kind ? { name: kind.name, pods: podsOf(objects, kind) } : null
}

/** Every ingress controller pod of a kind we know. */
export function allControllerPods(objects: KubeObjects): PodObject[] {
  return CONTROLLERS.flatMap((c) => podsOf(objects, c))
}

function podsOf(objects: KubeObjects, kind: Controller): PodObject[] {
  return objects.pods.filter((p) => {
    if (!isAlive(p) || /admission|webhook|defaultbackend/.test(p.meta.labels['app.kubernetes.io/component'] ?? ''))
      return false
    const labels = [p.meta.labels['app.kubernetes.io/name'], p.meta.labels.app]
    return (
      labels.some((l) => l !== undefined && kind.label.test(l)) ||
      p.containers.some((c) => kind.image.test(c.image ?? ''))
    )
  })
}
