/** Which networking software runs in the cluster, as its pods tell: by image, label or name of the makers' own manifests. */
import type { KubeObjects, PodObject } from '../../kubeobj/objects.ts'
import type { Evidence } from '../../model/evidence.ts'
import { several } from './decision.ts'

export type Role =
  | 'cni'
  | 'proxy'
  | 'policy'
  | 'load-balancer'
  | 'ingress'
  | 'dns'
  | 'dns-cache'
  | 'mesh'
  | 'masquerade'

export interface Product {
  readonly name: string
  readonly roles: readonly Role[]
  /** Last part of the image name, without registry and tag. */
  readonly image?: RegExp
  /** `key=value` of a label. */
  readonly label?: RegExp
  readonly pod?: RegExp
}

export interface Running {
  readonly product: Product
  readonly pods: number
  readonly ready: number
  readonly nodes: ReadonlySet<string>
  readonly evidence: Evidence
}

const APP = '^(k8s-app|app|name|app\\.kubernetes\\.io/name|component|app\\.kubernetes\\.io/component)='
const app = (names: string) => new RegExp(`${APP}(${names})$`)

export const PRODUCTS: readonly Product[] = [
  { name: 'Canal', roles: ['cni', 'policy'], label: app('canal') },
  { name: 'Calico', roles: ['cni', 'policy'], image: /^(calico-)?node$/, label: app('calico-node') },
  { name: 'Cilium', roles: ['cni', 'policy'], label: app('cilium|cilium-agent') },
  { name: 'flannel', roles: ['cni'], image: /^flannel$/, label: app('flannel|kube-flannel') },
  { name: 'Weave', roles: ['cni', 'policy'], image: /^weave-kube$/, label: app('weave-net') },
  { name: 'kube-router', roles: ['cni', 'policy'], image: /^kube-router$/, label: app('kube-router') },
  { name: 'Antrea', roles: ['cni', 'policy'], label: app('antrea-agent') },
  { name: 'OVN-Kubernetes', roles: ['cni', 'policy'], label: app('ovnkube-node') },
  { name: 'OpenShift SDN', roles: ['cni', 'policy'], label: app('sdn') },
  { name: 'AWS VPC CNI', roles: ['cni'], image: /^amazon-k8s-cni$/, label: app('aws-node') },
  { name: 'Azure CNI', roles: ['cni'], label: app('azure-cns') },
  { name: 'Azure NPM', roles: ['policy'], label: app('azure-npm') },
  { name: 'kindnet', roles: ['cni'], image: /^kindnetd$/, label: app('kindnet') },
  { name: 'kube-network-policies', roles: ['policy'], image: /^kube-network-policies$/ },
  { name: 'kube-proxy', roles: ['proxy'], image: /^kube-proxy(-amd64|-arm64)?$/, label: app('kube-proxy') },
  {
    name: 'node-local-dns',
    roles: ['dns-cache'],
    image: /^k8s-dns-node-cache$/,
    label: app('node-local-dns|nodelocaldns'),
  },
  { name: 'CoreDNS', roles: ['dns'], image: /^(mirrored-coredns-)?coredns$/, pod: /^(rke2-)?coredns-/ },
  { name: 'kube-dns', roles: ['dns'], image: /^k8s-dns-kube-dns/ },
  { name: 'MetalLB', roles: ['load-balancer'], label: app('metallb') },
  { name: 'kube-vip', roles: ['load-balancer'], image: /^kube-vip(-iptables)?$/ },
  { name: 'ServiceLB (klipper)', roles: ['load-balancer'], image: /^klipper-lb$/ },
  { name: 'OpenELB', roles: ['load-balancer'], image: /^openelb/ },
  { name: 'PureLB', roles: ['load-balancer'], label: app('purelb') },
  { name: 'AWS Load Balancer Controller', roles: ['load-balancer'], label: app('aws-load-balancer-controller') },
  {
    name: 'cloud controller manager',
    roles: ['load-balancer'],
    image: /cloud-controller-manager$/,
    pod: /cloud-controller-manager/,
  },
  { name: 'ingress-nginx', roles: ['ingress'], label: app('ingress-nginx') },
  { name: 'NGINX Ingress (F5)', roles: ['ingress'], label: app('nginx-ingress') },
  { name: 'Traefik', roles: ['ingress'], image: /^(mirrored-library-)?traefik$/, label: app('traefik') },
  { name: 'HAProxy Ingress', roles: ['ingress'], label: app('haproxy-ingress|kubernetes-ingress') },
  { name: 'Kong', roles: ['ingress'], label: app('kong|ingress-kong') },
  { name: 'Contour', roles: ['ingress'], label: app('contour') },
  { name: 'Envoy Gateway', roles: ['ingress'], label: app('gateway-helm|envoy-gateway') },
  { name: 'Istio ingress gateway', roles: ['ingress'], label: app('istio-ingressgateway') },
  { name: 'Istio', roles: ['mesh'], label: app('istiod|ztunnel'), image: /^(pilot|ztunnel)$/ },
  { name: 'Linkerd', roles: ['mesh'], label: /^linkerd\.io\/control-plane-component=/ },
  { name: 'Kuma', roles: ['mesh'], label: app('kuma-control-plane') },
  { name: 'Consul', roles: ['mesh'], label: app('consul') },
  { name: 'ip-masq-agent', roles: ['masquerade'], label: app('ip-masq-agent') },
]

/** Image name without registry, tag and digest: `quay.io/calico/node:v3.29` → `node`. */
function imageName(image: string): string {
  return (image.split('@')[0]!.split('/').at(-1) ?? '').split(':')[0]!
}

function isOf(pod: PodObject, product: Product): boolean {
  if (product.pod?.test(pod.meta.name)) return true
  if (product.label && Object.entries(pod.meta.labels).some(([k, v]) => product.label!.test(`${k}=${v}`))) return true
  if (!product.image) return false
  // Many images are called `node`: Calico's says whose it is before the last slash.
  return pod.containers.some((c) => {
    const name = imageName(c.image ?? '')
    return product.image!.test(name) && (name !== 'node' || /calico/.test(c.image ?? ''))
  })
}

const SYSTEM_NAMESPACE =
  /^(kube-|calico-|cilium|tigera|metallb|openshift-|istio|linkerd|traefik|ingress|projectcontour|envoy-gateway|kong|contour|haproxy|nginx|kuma|consul|purelb|openelb|weave)/

/**
 * Products with at least one unfinished pod. Outside the namespaces such software is installed in only an image proves it:
 * anybody may label a pod `app: traefik`.
 */
export function runningSoftware(objects: KubeObjects): readonly Running[] {
  const pods = objects.pods.filter((p) => p.phase !== 'Succeeded' && p.phase !== 'Failed')
  return PRODUCTS.flatMap((product) => {
    const own = pods.filter((p) =>
      isOf(
        p,
        SYSTEM_NAMESPACE.test(p.meta.namespace)
          ? product
          : ({ ...product, label: undefined, pod: undefined } as Product),
      ),
    )
    const [first] = own
    if (!first) return []
    return [
      {
        product,
        pods: own.length,
        ready: own.filter((p) => p.conditions.some((c) => c.type === 'Ready' && c.status === 'True')).length,
        nodes: new Set(own.flatMap((p) => (p.nodeName === undefined ? [] : [p.nodeName]))),
        evidence: first.evidence,
      },
    ]
  })
}

export function withRole(running: readonly Running[], role: Role): readonly Running[] {
  return running.filter((r) => r.product.roles.includes(role))
}

/** `CoreDNS (2 of 2 pods ready)`. */
export function runningText(r: Running): string {
  return `${r.product.name} (${r.ready} of ${several(r.pods, 'pod')} ready)`
}
