/** A small shop as manifests; policies are given as YAML of their spec, further documents as they are. */

const pod = (ns: string, name: string, labels: string, ports: string, more = '') => `
apiVersion: apps/v1
kind: Deployment
metadata: { namespace: ${ns}, name: ${name} }
spec:
  selector: { matchLabels: ${labels} }
  template:
    metadata: { labels: ${labels} }
    spec: { ${more}containers: [{ name: c, image: i, ports: ${ports} }] }
`

const dnsService = (target: number) => `
apiVersion: v1
kind: Service
metadata: { namespace: kube-system, name: kube-dns, labels: { k8s-app: kube-dns } }
spec:
  clusterIP: 10.96.0.10
  selector: { k8s-app: kube-dns }
  ports:
    - { name: dns, port: 53, protocol: UDP, targetPort: ${target} }
    - { name: dns-tcp, port: 53, protocol: TCP, targetPort: ${target} }
`

/** web (8080 http), api (9090 http, 9091 UDP metrics), db (5432) of shop; prom of mon; a node agent; Service api 80 → http. */
export const SHOP = [
  'apiVersion: v1\nkind: Namespace\nmetadata: { name: shop }\n',
  'apiVersion: v1\nkind: Namespace\nmetadata: { name: mon, labels: { team: ops } }\n',
  'apiVersion: v1\nkind: Namespace\nmetadata: { name: kube-system }\n',
  pod('shop', 'web', '{ app: web }', '[{ name: http, containerPort: 8080 }]'),
  pod(
    'shop',
    'api',
    '{ app: api }',
    '[{ name: http, containerPort: 9090 }, { name: metrics, containerPort: 9091, protocol: UDP }]',
  ),
  pod('shop', 'db', '{ app: db }', '[{ containerPort: 5432 }]'),
  pod('shop', 'agent', '{ app: agent }', '[]', 'hostNetwork: true, '),
  pod('mon', 'prom', '{ app: prom }', '[]'),
  'apiVersion: v1\nkind: Service\nmetadata: { namespace: shop, name: api }\nspec: { clusterIP: 10.96.7.7, selector: { app: api }, ports: [{ port: 80, targetPort: http }] }\n',
]

export const DNS = [
  pod(
    'kube-system',
    'coredns',
    '{ k8s-app: kube-dns }',
    '[{ containerPort: 53, protocol: UDP, name: dns }, { containerPort: 53, protocol: TCP, name: dns-tcp }]',
  ),
  dnsService(53),
]
/** The DNS pods listen on 5353, as OpenShift's. */
export const DNS_5353 = [pod('kube-system', 'coredns', '{ k8s-app: kube-dns }', '[]'), dnsService(5353)]

export const NODE_CACHE = [
  pod('kube-system', 'node-local-dns', '{ k8s-app: node-local-dns }', '[]', 'hostNetwork: true, '),
]

export function policy(name: string, spec: string, namespace = 'shop'): string {
  const body = spec
    .trim()
    .split('\n')
    .map((l) => `  ${l}`)
    .join('\n')
  return `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: ${name}\n  namespace: ${namespace}\nspec:\n${body}\n`
}
