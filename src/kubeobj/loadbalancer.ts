/** What of a load balancer shows in objects: the providers' annotations on a Service. */
import type { KubeObjects, PodObject, ServiceObject } from './objects.ts'

/** Annotations that make a provider's balancer speak the PROXY protocol; the value pattern says when they do. */
const PROXY_PROTOCOL: readonly (readonly [string, RegExp])[] = [
  ['service.beta.kubernetes.io/aws-load-balancer-proxy-protocol', /^\*$/],
  ['service.beta.kubernetes.io/aws-load-balancer-target-group-attributes', /proxy_protocol_v2\.enabled=true/],
  ['service.beta.kubernetes.io/do-loadbalancer-enable-proxy-protocol', /^true$/],
  ['load-balancer.hetzner.cloud/uses-proxyprotocol', /^true$/],
  ['loadbalancer.openstack.org/proxy-protocol', /^(true|v1|v2)$/],
  ['service.beta.kubernetes.io/ovh-loadbalancer-proxy-protocol', /^v[12]/],
  ['service.beta.kubernetes.io/scw-loadbalancer-proxy-protocol-v1', /^(true|\*|[0-9,]+)$/],
  ['service.beta.kubernetes.io/scw-loadbalancer-proxy-protocol-v2', /^(true|\*|[0-9,]+)$/],
  ['service.beta.kubernetes.io/linode-loadbalancer-default-proxy-protocol', /^v[12]$/],
  ['service.beta.kubernetes.io/vultr-loadbalancer-proxy-protocol', /^true$/],
]

/** The annotation (`name: value`) by which the Service's balancer sends a PROXY header; null when none does. */
export function proxyProtocolAnnotation(s: ServiceObject): string | null {
  for (const [name, on] of PROXY_PROTOCOL) {
    const value = s.meta.annotations[name]
    if (value !== undefined && on.test(value)) return `${name}: ${value}`
  }
  return null
}

const AWS = 'service.beta.kubernetes.io/aws-load-balancer-'

/** An AWS network load balancer that keeps the client's address, by its annotations or their defaults; null otherwise. */
export function keepsClientAddress(s: ServiceObject): string | null {
  const a = s.meta.annotations
  const type = a[`${AWS}type`]
  if (type === undefined || !/^(nlb|nlb-ip|external)$/.test(type)) return null
  const said = a[`${AWS}target-group-attributes`] ?? ''
  if (/preserve_client_ip\.enabled=true/.test(said)) return `${AWS}target-group-attributes: ${said}`
  if (/preserve_client_ip\.enabled=false/.test(said)) return null
  // Instance targets keep it unless told otherwise, IP targets do not (AWS, "Client IP preservation").
  const target = a[`${AWS}nlb-target-type`] ?? (type === 'nlb-ip' ? 'ip' : 'instance')
  return target === 'instance' ? `${AWS}type: ${type} (instance targets)` : null
}

/** What gives Services of type LoadBalancer their addresses, by the images and names every chart keeps. */
const PROVIDERS =
  /metallb|kube-vip|cloud-controller-manager|aws-load-balancer-controller|klipper-lb|svclb-|cilium-operator|porter|openelb|loxilb|cloud-provider-kind|purelb/i

export function balancerPods(objects: KubeObjects): PodObject[] {
  return objects.pods.filter(
    (p) => PROVIDERS.test(p.meta.name) || p.containers.some((c) => PROVIDERS.test(c.image ?? '')),
  )
}
