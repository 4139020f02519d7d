/** A shop of YAML manifests for the tests of diff and generate. */
import type { KubeObjects } from '../../kubeobj/objects.ts'
import { loadManifests } from '../../manifests/load.ts'

export function load(...texts: readonly string[]): KubeObjects {
  return loadManifests(texts.map((text, i) => ({ path: `m${i}.yaml`, text }))).objects
}

export const workload = (kind: string, namespace: string, name: string, labels: string, ports = '') => `
apiVersion: apps/v1
kind: ${kind}
metadata: { namespace: ${namespace}, name: ${name} }
spec:
  selector: { matchLabels: ${labels} }
  template:
    metadata: { labels: ${labels} }
    spec: { containers: [ { name: c, ports: [ ${ports} ] } ] }
---`

/** shop/{web,api,db}, tools/client, kube-system/coredns behind kube-dns with targetPort dns (5353). */
export const SHOP = [
  ...['shop', 'tools', 'kube-system'].map((n) => `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${n} }\n---`),
  workload('Deployment', 'shop', 'web', '{ app: web }', '{ containerPort: 8080, name: http }'),
  workload('Deployment', 'shop', 'api', '{ app: api }', '{ containerPort: 9090, name: http }'),
  workload('StatefulSet', 'shop', 'db', '{ app: db }', '{ containerPort: 5432 }'),
  workload('Deployment', 'tools', 'client', '{ app: client }'),
  workload(
    'Deployment',
    'kube-system',
    'coredns',
    '{ k8s-app: kube-dns }',
    '{ containerPort: 5353, name: dns, protocol: UDP }, { containerPort: 5353, name: dns-tcp }',
  ),
  `
apiVersion: v1
kind: Service
metadata: { namespace: kube-system, name: kube-dns }
spec:
  clusterIP: 10.96.0.10
  selector: { k8s-app: kube-dns }
  ports: [ { name: dns, port: 53, protocol: UDP, targetPort: dns }, { name: dns-tcp, port: 53, targetPort: dns-tcp } ]
---
apiVersion: v1
kind: Service
metadata: { namespace: shop, name: api }
spec: { clusterIP: 10.96.0.90, selector: { app: api }, ports: [ { port: 80, targetPort: http } ] }
---`,
].join('\n')

export const policy = (namespace: string, name: string, spec: string) => `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: ${namespace}, name: ${name} }
spec: ${spec}
---`

export const DENY_EGRESS = policy(
  'shop',
  'no-egress',
  '{ podSelector: { matchLabels: { app: web } }, policyTypes: [Egress] }',
)
