/** The manifests the second opinion reads, with the fields it uses. */

export type Labels = Readonly<Record<string, string>>

export interface LabelSelector {
  readonly matchLabels?: Labels
  readonly matchExpressions?: readonly {
    readonly key: string
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
    readonly values?: readonly string[]
  }[]
}

interface Metadata {
  readonly name: string
  readonly namespace?: string
  readonly labels?: Labels
}

export interface NamespaceManifest {
  readonly apiVersion: 'v1'
  readonly kind: 'Namespace'
  readonly metadata: Metadata
}

export interface NodeManifest {
  readonly apiVersion: 'v1'
  readonly kind: 'Node'
  readonly metadata: Metadata
  readonly spec: { readonly podCIDRs: readonly string[] }
  readonly status: { readonly addresses: readonly { readonly type: string; readonly address: string }[] }
}

export interface ContainerManifest {
  readonly name: string
  readonly restartPolicy?: 'Always'
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number; readonly protocol?: string }[]
}

export interface PodManifest {
  readonly apiVersion: 'v1'
  readonly kind: 'Pod'
  readonly metadata: Metadata
  readonly spec: {
    readonly nodeName?: string
    readonly hostNetwork?: boolean
    readonly containers: readonly ContainerManifest[]
    readonly initContainers?: readonly ContainerManifest[]
  }
  readonly status: {
    readonly phase: string
    readonly podIP?: string
    readonly podIPs?: readonly { readonly ip: string }[]
  }
}

export interface NetworkPolicyPeer {
  readonly podSelector?: LabelSelector
  readonly namespaceSelector?: LabelSelector
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] }
}

export interface NetworkPolicyRule {
  readonly from?: readonly NetworkPolicyPeer[]
  readonly to?: readonly NetworkPolicyPeer[]
  readonly ports?: readonly { readonly protocol?: string; readonly port?: number | string; readonly endPort?: number }[]
}

export interface NetworkPolicyManifest {
  readonly apiVersion: 'networking.k8s.io/v1'
  readonly kind: 'NetworkPolicy'
  readonly metadata: Metadata
  readonly spec: {
    readonly podSelector: LabelSelector
    readonly policyTypes?: readonly ('Ingress' | 'Egress')[]
    readonly ingress?: readonly NetworkPolicyRule[]
    readonly egress?: readonly NetworkPolicyRule[]
  }
}

export interface NamespacedPod {
  readonly namespaceSelector: LabelSelector
  readonly podSelector: LabelSelector
}

export interface TierPeer {
  readonly namespaces?: LabelSelector
  readonly pods?: NamespacedPod
  readonly nodes?: LabelSelector
  readonly networks?: readonly string[]
  readonly domainNames?: readonly string[]
}

interface PortSpan {
  readonly start: number
  readonly end: number
}

export interface AdminPort {
  readonly portNumber?: { readonly protocol: string; readonly port: number }
  readonly portRange?: PortSpan & { readonly protocol?: string }
  readonly namedPort?: string
}

interface DestinationPort {
  readonly destinationPort: { readonly number?: number; readonly range?: PortSpan }
}

export interface ClusterProtocol {
  readonly tcp?: DestinationPort
  readonly udp?: DestinationPort
  readonly sctp?: DestinationPort
  readonly destinationNamedPort?: string
}

export interface TierRule {
  readonly name?: string
  readonly action: 'Allow' | 'Accept' | 'Deny' | 'Pass'
  readonly from?: readonly TierPeer[]
  readonly to?: readonly TierPeer[]
  readonly ports?: readonly AdminPort[]
  readonly protocols?: readonly ClusterProtocol[]
}

export interface TierManifest {
  readonly apiVersion: string
  readonly kind: 'AdminNetworkPolicy' | 'BaselineAdminNetworkPolicy' | 'ClusterNetworkPolicy'
  readonly metadata: Metadata
  readonly spec: {
    readonly tier?: 'Admin' | 'Baseline'
    readonly priority?: number
    readonly subject: { readonly namespaces?: LabelSelector; readonly pods?: NamespacedPod }
    readonly ingress?: readonly TierRule[]
    readonly egress?: readonly TierRule[]
  }
}

export interface Cluster {
  readonly namespaces: readonly NamespaceManifest[]
  readonly nodes: readonly NodeManifest[]
  readonly pods: readonly PodManifest[]
  readonly policies: readonly NetworkPolicyManifest[]
  readonly tiers: readonly TierManifest[]
}

/** One end of a question: as `policy check` takes it. */
export type Place =
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'node'; readonly name: string }
  | { readonly kind: 'ip'; readonly ip: string }

export interface Question {
  readonly from: Place
  readonly to: Place
  readonly protocol: string
  /** Null: not given. */
  readonly port: number | null
  readonly family?: 4 | 6
}
