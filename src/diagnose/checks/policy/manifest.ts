/** Manifests that remedies give, built from the selectors of the policies at hand. Text is quoted as JSON, which YAML reads. */
import { policyCluster } from '../../../intent/policy/cluster.ts'
import type { Selector } from '../../../intent/policy/policy.ts'
import type { PolicyRef } from '../../../intent/policy/result.ts'
import type { KubeObjects } from '../../../kubeobj/objects.ts'
import { dnsServices } from '../../view/service-view.ts'

/** A LabelSelector in flow style; null when the selector has a part that was not understood. */
export function selectorYaml(s: Selector): string | null {
  if (s.some((r) => r.operator === 'opaque')) return null
  const expressions = s.map((r) => ({
    key: r.key,
    operator: r.operator,
    ...(r.values.length > 0 ? { values: r.values } : {}),
  }))
  const labels = s.filter((r) => r.operator === 'In' && r.values.length === 1)
  if (s.length === 0) return '{}'
  return labels.length === s.length
    ? JSON.stringify({ matchLabels: Object.fromEntries(labels.map((r) => [r.key, r.values[0]])) })
    : JSON.stringify({ matchExpressions: expressions })
}

/**
 * A policy that admits the cluster DNS for the pods a policy already isolates: with its podSelector, so that no other pod
 * becomes isolated by it. Null when that policy or the DNS Service is not there to copy from.
 */
export function dnsPolicy(objects: KubeObjects, beside: PolicyRef | undefined, port: number): string | null {
  const policy = policyCluster(objects)
    .policiesByNamespace.get(beside?.namespace ?? '')
    ?.find((p) => p.name === beside?.name)
  const pods = policy ? selectorYaml(policy.podSelector) : null
  const dns = dnsServices(objects)[0]
  if (!policy || pods === null || !dns?.selector) return null
  return `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: ${JSON.stringify(`${policy.name}-dns`)}
  namespace: ${JSON.stringify(policy.namespace)}
spec:
  podSelector: ${pods}
  policyTypes: [Egress]
  egress:
    - to:
        - namespaceSelector: ${JSON.stringify({ matchLabels: { 'kubernetes.io/metadata.name': dns.meta.namespace } })}
          podSelector: ${JSON.stringify({ matchLabels: dns.selector })}
      ports:
        - { protocol: UDP, port: ${port} }
        - { protocol: TCP, port: ${port} }
`
}
