/** What netwhy reads from the API server, and nothing else: no Secrets, and of ConfigMaps only the named ones. */

export interface Resource {
  /** Empty: the core group. */
  readonly group: string
  readonly version: string
  /** As in the path and in RBAC rules. */
  readonly plural: string
  readonly kind: string
}

const of = (group: string, version: string, kinds: Readonly<Record<string, string>>): Resource[] =>
  Object.entries(kinds).map(([plural, kind]) => ({ group, version, plural, kind }))

/** Kinds every cluster serves. */
export const BUILT_IN: readonly Resource[] = [
  ...of('', 'v1', { nodes: 'Node', pods: 'Pod', services: 'Service', namespaces: 'Namespace', events: 'Event' }),
  ...of('discovery.k8s.io', 'v1', { endpointslices: 'EndpointSlice' }),
  ...of('networking.k8s.io', 'v1', {
    networkpolicies: 'NetworkPolicy',
    ingresses: 'Ingress',
    ingressclasses: 'IngressClass',
  }),
  ...of('apps', 'v1', {
    deployments: 'Deployment',
    daemonsets: 'DaemonSet',
    statefulsets: 'StatefulSet',
    replicasets: 'ReplicaSet',
  }),
  ...of('admissionregistration.k8s.io', 'v1', {
    validatingwebhookconfigurations: 'ValidatingWebhookConfiguration',
    mutatingwebhookconfigurations: 'MutatingWebhookConfiguration',
  }),
]

/** ConfigMaps of kube-system that hold the configuration of the network. */
export const CONFIG_MAPS = ['coredns', 'kube-proxy', 'kube-flannel-cfg', 'calico-config', 'cilium-config'] as const

const CALICO: Readonly<Record<string, string>> = {
  networkpolicies: 'NetworkPolicy',
  globalnetworkpolicies: 'GlobalNetworkPolicy',
  stagednetworkpolicies: 'StagedNetworkPolicy',
  networksets: 'NetworkSet',
  globalnetworksets: 'GlobalNetworkSet',
  hostendpoints: 'HostEndpoint',
  tiers: 'Tier',
  ippools: 'IPPool',
  ipamblocks: 'IPAMBlock',
  felixconfigurations: 'FelixConfiguration',
  bgpconfigurations: 'BGPConfiguration',
  bgppeers: 'BGPPeer',
}

export interface OptionalGroup {
  readonly group: string
  /** The first of these that is served counts; else the preferred one. */
  readonly versions: readonly string[]
  readonly kinds: Readonly<Record<string, string>>
  /** Kinds that are taken from the other group when that has them: the same objects under another name. */
  readonly unlessIn?: string
}

/** Kinds that only some clusters serve, looked up in `/apis`. */
export const OPTIONAL: readonly OptionalGroup[] = [
  {
    group: 'networking.k8s.io',
    versions: ['v1', 'v1beta1'],
    kinds: { servicecidrs: 'ServiceCIDR' },
  },
  {
    group: 'policy.networking.k8s.io',
    versions: ['v1alpha2', 'v1alpha1'],
    kinds: {
      clusternetworkpolicies: 'ClusterNetworkPolicy',
    },
  },
  {
    group: 'policy.networking.k8s.io',
    versions: ['v1alpha1'],
    kinds: {
      adminnetworkpolicies: 'AdminNetworkPolicy',
      baselineadminnetworkpolicies: 'BaselineAdminNetworkPolicy',
    },
  },
  { group: 'projectcalico.org', versions: ['v3'], kinds: CALICO },
  { group: 'crd.projectcalico.org', versions: ['v1'], kinds: CALICO, unlessIn: 'projectcalico.org' },
  {
    group: 'cilium.io',
    versions: ['v2'],
    kinds: {
      ciliumnetworkpolicies: 'CiliumNetworkPolicy',
      ciliumclusterwidenetworkpolicies: 'CiliumClusterwideNetworkPolicy',
      ciliumnodes: 'CiliumNode',
    },
  },
  { group: 'cilium.io', versions: ['v2', 'v2alpha1'], kinds: { ciliumcidrgroups: 'CiliumCIDRGroup' } },
  {
    group: 'security.istio.io',
    versions: ['v1', 'v1beta1'],
    kinds: { peerauthentications: 'PeerAuthentication', authorizationpolicies: 'AuthorizationPolicy' },
  },
  {
    group: 'networking.istio.io',
    versions: ['v1', 'v1beta1', 'v1alpha3'],
    kinds: { destinationrules: 'DestinationRule', virtualservices: 'VirtualService' },
  },
  {
    group: 'gateway.networking.k8s.io',
    versions: ['v1', 'v1beta1'],
    kinds: { gatewayclasses: 'GatewayClass', gateways: 'Gateway', httproutes: 'HTTPRoute', grpcroutes: 'GRPCRoute' },
  },
  { group: 'gateway.networking.k8s.io', versions: ['v1', 'v1beta1'], kinds: { referencegrants: 'ReferenceGrant' } },
  {
    group: 'metallb.io',
    versions: ['v1beta1'],
    kinds: {
      ipaddresspools: 'IPAddressPool',
      l2advertisements: 'L2Advertisement',
      bgpadvertisements: 'BGPAdvertisement',
    },
  },
  {
    group: 'crd.antrea.io',
    versions: ['v1beta1', 'v1alpha1'],
    kinds: { networkpolicies: 'NetworkPolicy', clusternetworkpolicies: 'ClusterNetworkPolicy' },
  },
  { group: 'crd.k8s.amazonaws.com', versions: ['v1alpha1'], kinds: { eniconfigs: 'ENIConfig' } },
]
