/** Faults of API objects and of the applications behind them. */
import type { KubeJson } from '../kubejson.ts'
import type { Fault } from './fault.ts'

const NOT_READY: KubeJson = {
  status: { conditions: [{ type: 'Ready', status: 'False', reason: 'ContainersNotReady' }] },
}

function policy(namespace: string, name: string, spec: KubeJson): KubeJson {
  return { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace }, spec }
}

const client = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'tools' } } }

export const OBJECT_FAULTS: readonly Fault[] = [
  {
    name: 'service-no-endpoints',
    title: 'the selector of shop/api matches no pod',
    code: 'service-no-endpoints',
    example: ['pod/tools/client', 'svc/shop/api:8080'],
    inject: (h) => h.patch('Service', 'shop/api', { spec: { selector: { app: 'api-v2' } } }),
  },
  {
    name: 'service-target-port-wrong',
    title: 'shop/web sends to port 9999, where nothing listens',
    code: 'service-target-port-wrong',
    example: ['pod/tools/client', 'svc/shop/web:80'],
    inject: (h) =>
      h.patch('Service', 'shop/web', {
        spec: { ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 9999, nodePort: 30080 }] },
      }),
  },
  {
    name: 'service-target-port-name-missing',
    title: "shop/api sends to a port called 'https', which its pods do not have",
    code: 'service-target-port-name-missing',
    example: ['pod/tools/client', 'svc/shop/api:8080'],
    inject: (h) =>
      h.patch('Service', 'shop/api', {
        spec: { ports: [{ name: 'http', port: 8080, protocol: 'TCP', targetPort: 'https' }] },
      }),
  },
  {
    name: 'service-endpoints-not-ready',
    title: 'the pods of shop/api are not ready',
    code: 'service-endpoints-not-ready',
    example: ['pod/tools/client', 'svc/shop/api:8080'],
    inject: async (h) => {
      await h.patch('Pod', 'shop/api-1', NOT_READY)
      await h.patch('Pod', 'shop/api-2', NOT_READY)
    },
  },
  {
    name: 'traffic-policy-no-local-endpoint',
    title: 'shop/web takes outside traffic on nodes with an endpoint only, and node3 has none',
    code: 'traffic-policy-no-local-endpoint',
    example: ['external', '172.30.0.13:30080'],
    inject: async (h) => {
      await h.patch('Service', 'shop/web', { spec: { externalTrafficPolicy: 'Local' } })
      await h.patch('Pod', 'shop/web-2', NOT_READY)
    },
  },
  {
    name: 'dns-no-endpoints',
    title: 'no CoreDNS pod is ready',
    code: 'dns-no-endpoints',
    example: ['pod/tools/client', 'svc/kube-system/kube-dns:53'],
    inject: async (h) => {
      await h.patch('Pod', 'kube-system/coredns-1', NOT_READY)
      await h.patch('Pod', 'kube-system/coredns-2', NOT_READY)
    },
  },
  {
    name: 'not-listening',
    title: 'the process of shop/web-2 has ended; the pod is still an endpoint',
    code: 'not-listening',
    example: ['pod/tools/client', 'pod/shop/web-2:8080'],
    inject: (h) => h.relisten('shop/web-2', null),
  },
  {
    name: 'listens-on-loopback',
    title: 'shop/api-2 listens on 127.0.0.1 only',
    code: 'listens-on-loopback',
    example: ['pod/tools/client', 'pod/shop/api-2:9090'],
    inject: (h) => h.relisten('shop/api-2', '127.0.0.1'),
  },
  {
    name: 'policy-denies-ingress',
    title: 'a policy lets nobody into namespace shop',
    code: 'policy-denies-ingress',
    example: ['pod/tools/client', 'pod/shop/db-0:5432'],
    inject: (h) => h.apply([policy('shop', 'deny-all', { podSelector: {}, policyTypes: ['Ingress'] })]),
  },
  {
    name: 'policy-denies-egress',
    title: 'a policy lets tools/client out for DNS only',
    code: 'policy-denies-egress',
    example: ['pod/tools/client', 'pod/shop/web-1:8080'],
    inject: (h) =>
      h.apply([
        policy('tools', 'dns-only', {
          podSelector: {},
          policyTypes: ['Egress'],
          egress: [{ ports: [53].flatMap((port) => ['UDP', 'TCP'].map((protocol) => ({ protocol, port }))) }],
        }),
      ]),
  },
  {
    name: 'policy-denies-dns',
    title: 'a policy lets tools/client out to shop, and forgot DNS',
    code: 'policy-denies-dns',
    example: ['pod/tools/client', 'svc/kube-system/kube-dns:53'],
    inject: (h) =>
      h.apply([
        policy('tools', 'shop-only', {
          podSelector: {},
          policyTypes: ['Egress'],
          egress: [{ to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'shop' } } }] }],
        }),
      ]),
  },
  {
    name: 'policy-uses-service-port',
    title: 'a policy admits clients of shop/api on the Service port 8080; the pods listen on 9090',
    code: 'policy-uses-service-port',
    example: ['pod/tools/client', 'svc/shop/api:8080'],
    inject: (h) =>
      h.apply([
        policy('shop', 'api-clients', {
          podSelector: { matchLabels: { app: 'api' } },
          policyTypes: ['Ingress'],
          ingress: [{ from: [client], ports: [{ protocol: 'TCP', port: 8080 }] }],
        }),
      ]),
  },
  {
    name: 'policy-label-missing',
    title: 'a policy admits namespaces labelled team=tools to shop/db, a label that namespace tools lacks',
    code: 'policy-label-missing',
    example: ['pod/tools/client', 'pod/shop/db-0:5432'],
    inject: (h) =>
      h.apply([
        policy('shop', 'db-clients', {
          podSelector: { matchLabels: { app: 'db' } },
          policyTypes: ['Ingress'],
          ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'tools' } } }] }],
        }),
      ]),
  },
]
