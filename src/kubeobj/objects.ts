/**
 * Kubernetes objects: the fields netwhy reads, with the names of the API. Everything is optional where the API server may
 * leave it out. Decoding keeps unknown fields out and never trusts a type it did not check.
 */
import type { Evidence } from '../model/evidence.ts'

export interface Meta {
  readonly name: string
  /** Empty for cluster-scoped objects. */
  readonly namespace: string
  readonly uid: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly owners: readonly { readonly kind: string; readonly name: string }[]
}

interface Base {
  readonly meta: Meta
  readonly evidence: Evidence
}

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  /** RFC 3339. */
  readonly lastTransitionTime?: string
  /** RFC 3339: of Nodes, the last time kubelet reported it. */
  readonly lastHeartbeatTime?: string
}

export interface NodeObject extends Base {
  readonly podCIDRs: readonly string[]
  readonly addresses: readonly { readonly type: string; readonly address: string }[]
  readonly conditions: readonly Condition[]
  readonly taints: readonly { readonly key: string; readonly effect: string }[]
  readonly kubeletVersion?: string
  readonly containerRuntimeVersion?: string
  /** Allocatable resources as the API prints them (`pods: "110"`). */
  readonly allocatable: Readonly<Record<string, string>>
  /** True: cordoned, which says nothing about its network. */
  readonly unschedulable?: boolean
  readonly kernelVersion?: string
  readonly osImage?: string
  readonly providerId?: string
}

export interface ContainerPort {
  readonly name?: string
  readonly containerPort: number
  readonly hostPort?: number
  readonly protocol: string
}

/** Limits and requests as the API prints them (`cpu: "500m"`). */
export interface Resources {
  readonly limits: Readonly<Record<string, string>>
  readonly requests: Readonly<Record<string, string>>
}

export interface PodObject extends Base {
  readonly nodeName?: string
  readonly hostNetwork: boolean
  readonly dnsPolicy?: string
  readonly containers: readonly {
    readonly name: string
    readonly image?: string
    readonly ports: readonly ContainerPort[]
    readonly hasPreStop: boolean
    readonly hasReadinessProbe: boolean
    readonly resources?: Resources
    readonly command?: readonly string[]
    readonly args?: readonly string[]
    /** An init container that goes on beside the others (KEP-753). */
    readonly sidecar?: boolean
  }[]
  /** Init containers that end before the others start. */
  readonly initContainers?: readonly {
    readonly name: string
    readonly image?: string
    readonly ports: readonly ContainerPort[]
    readonly command?: readonly string[]
    readonly args?: readonly string[]
  }[]
  readonly dnsConfig?: {
    readonly nameservers: readonly string[]
    readonly searches: readonly string[]
    readonly options: readonly { readonly name: string; readonly value?: string }[]
  }
  readonly tolerations?: readonly { readonly key: string; readonly operator: string; readonly effect: string }[]
  /** Seconds between the end of the pod being asked for and its being killed. */
  readonly terminationGracePeriod?: number
  readonly nodeSelector?: Readonly<Record<string, string>>
  readonly priorityClassName?: string
  readonly serviceAccountName?: string
  readonly phase: string
  readonly podIPs: readonly string[]
  readonly hostIP?: string
  readonly conditions: readonly Condition[]
  readonly containerStatuses: readonly {
    readonly name: string
    readonly ready: boolean
    readonly restartCount: number
    readonly containerID?: string
    readonly waitingReason?: string
    readonly waitingMessage?: string
    readonly lastTerminatedReason?: string
    readonly lastTerminatedMessage?: string
    readonly lastTerminatedExitCode?: number
    /** It has begun and not ended. */
    readonly running?: boolean
    readonly terminatedReason?: string
  }[]
  readonly initContainerStatuses?: PodObject['containerStatuses']
  readonly startTime?: string
  readonly reason?: string
  readonly message?: string
}

export interface ServicePort {
  readonly name: string
  readonly port: number
  readonly protocol: string
  readonly targetPort: number | string
  readonly nodePort?: number
  readonly appProtocol?: string
}

export interface ServiceObject extends Base {
  readonly type: string
  readonly clusterIPs: readonly string[]
  readonly externalIPs: readonly string[]
  readonly externalName?: string
  readonly ports: readonly ServicePort[]
  /** Null: no selector, endpoints are managed by hand. */
  readonly selector: Readonly<Record<string, string>> | null
  readonly externalTrafficPolicy: string
  readonly internalTrafficPolicy: string
  readonly sessionAffinity: string
  /** Seconds, default 10800. */
  readonly sessionAffinityTimeout: number
  readonly loadBalancerSourceRanges: readonly string[]
  readonly loadBalancerIngress: readonly {
    readonly ip?: string
    readonly hostname?: string
    readonly ipMode?: string
  }[]
  readonly healthCheckNodePort?: number
  readonly ipFamilies: readonly string[]
  readonly publishNotReadyAddresses: boolean
  readonly trafficDistribution?: string
}

export interface EndpointSliceObject extends Base {
  readonly serviceName: string
  readonly addressType: string
  readonly ports: readonly { readonly name: string; readonly port: number | null; readonly protocol: string }[]
  readonly endpoints: readonly {
    readonly addresses: readonly string[]
    readonly ready: boolean
    readonly serving: boolean
    readonly terminating: boolean
    readonly nodeName?: string
    readonly zone?: string
    readonly hintZones: readonly string[]
    readonly hintNodes: readonly string[]
    readonly target?: { readonly kind: string; readonly namespace: string; readonly name: string }
  }[]
}

export interface NamespaceObject extends Base {}

export interface EventObject extends Base {
  readonly type: string
  readonly reason: string
  readonly message: string
  readonly about: { readonly kind: string; readonly namespace: string; readonly name: string }
  /** How often it was seen; 1 when not told. */
  readonly count?: number
  /** RFC 3339, the last time it was seen. */
  readonly lastSeen?: string
  /** Component or host that reported it: `kubelet node2`. */
  readonly reporter?: string
}

/** A kind we keep as it came: policies, ingresses, webhooks, custom resources. `raw` is the whole JSON object. */
export interface OtherObject extends Base {
  readonly apiVersion: string
  readonly kind: string
  readonly raw: Readonly<Record<string, unknown>>
}

/** All objects of a snapshot. `known` lists the kinds that were asked for and answered: an absent kind is not an empty one. */
export interface KubeObjects {
  readonly nodes: readonly NodeObject[]
  readonly pods: readonly PodObject[]
  readonly services: readonly ServiceObject[]
  readonly endpointSlices: readonly EndpointSliceObject[]
  readonly namespaces: readonly NamespaceObject[]
  readonly events: readonly EventObject[]
  readonly others: readonly OtherObject[]
  readonly known: ReadonlySet<string>
}
