/**
 * Selectors of Cilium: labels with a source before the key, and labels of the namespace among them. Sources: pkg/labels,
 * pkg/k8s/apis/cilium.io/utils/utils.go getEndpointSelector, Documentation/operations/performance/scalability/identity-relevant-labels.
 */
import { ACCOUNT_LABEL, NAME_LABEL } from '../end.ts'
import type { Requirement, Selector } from '../policy.ts'
import { decodeSelector } from '../selector.ts'
import type { Complain } from '../tier.ts'

export interface SplitSelector {
  /** What it asks of the namespace; its name is one of the labels. */
  readonly namespaces: Selector
  readonly pods: Selector
  /** Names after `reserved:`, with what is asked of them. */
  readonly reserved: readonly Requirement[]
  readonly asksName: boolean
  readonly asksNamespace: boolean
}

const NAMESPACE = 'io.kubernetes.pod.namespace'
const NAMESPACE_LABELS = 'io.cilium.k8s.namespace.labels.'

/** Labels of pods that are no part of their identity unless an operator says so, and that no selector can find then. */
const LEFT_OUT =
  /^(io\.kubernetes|kubernetes\.io|.*beta\.kubernetes\.io|k8s\.io|pod-template-generation|pod-template-hash|controller-revision-hash|annotation|etcd_node|statefulset\.kubernetes\.io\/pod-name|apps\.kubernetes\.io\/pod-index|batch\.kubernetes\.io\/(job-completion-index|controller-uid))/

/** Reads a selector and sorts its requirements by what they are about. */
export function splitSelector(raw: unknown, complain: Complain): SplitSelector {
  const namespaces: Requirement[] = []
  const pods: Requirement[] = []
  const reserved: Requirement[] = []
  for (const r of decodeSelector(raw, complain)) {
    const colon = r.key.indexOf(':')
    const source = colon < 0 ? 'any' : r.key.slice(0, colon)
    const key = r.key.slice(colon + 1)
    if (r.operator === 'opaque') pods.push(r)
    else if (source === 'reserved') reserved.push({ ...r, key })
    else if (source !== 'any' && source !== 'k8s') pods.push(opaque(r.key, `labels of source ${source} are not known`))
    else if (key === NAMESPACE) namespaces.push({ ...r, key: NAME_LABEL })
    else if (key.startsWith(NAMESPACE_LABELS)) namespaces.push({ ...r, key: key.slice(NAMESPACE_LABELS.length) })
    else if (key === 'io.cilium.k8s.policy.serviceaccount') pods.push({ ...r, key: ACCOUNT_LABEL })
    else if (key.startsWith('io.cilium.k8s.policy.'))
      pods.push(opaque(key, `${key} is not among the labels of the pod`))
    else if (LEFT_OUT.test(key)) pods.push(opaque(key, `Cilium finds no pod by ${key} unless it is told to`))
    else pods.push({ ...r, key })
  }
  const asksName = namespaces.some((r) => r.key === NAME_LABEL)
  return { namespaces, pods, reserved, asksName, asksNamespace: namespaces.length > 0 }
}

const opaque = (key: string, why: string): Requirement => ({ key, operator: 'opaque', values: [why] })

export function named(namespace: string): Requirement {
  return { key: NAME_LABEL, operator: 'In', values: [namespace] }
}
