/**
 * Files and logs of a machine beside its network state: what the container runtime, the CNI plugins, kubelet and the
 * service manager were told, and what they said. Every field may be absent: then it was not collected, which proves nothing.
 */
import type { Ip, Prefix } from '../base/ip.ts'
import type { Evidence } from './evidence.ts'
import type { ResolvConf } from './network.ts'

export interface NodeFiles {
  /** Configurations of /etc/cni/net.d in the order libcni sorts them (by name); containerd and CRI-O take the first that is valid. */
  readonly cniConfigs?: readonly CniConfigFile[]
  /** /etc/cni/net.d */
  readonly cniConfigDirectory?: DirectoryListing
  /** /opt/cni/bin */
  readonly cniBinaries?: DirectoryListing
  /** Where the runtime was told to look instead, as far as its configuration names it. */
  readonly cniPlaces?: { readonly configDirs: readonly string[]; readonly binDirs: readonly string[] }
  /** host-local's reservations, one per network below /var/lib/cni/networks. */
  readonly ipamNetworks?: readonly IpamNetwork[]
  readonly flannelSubnet?: FlannelSubnet
  readonly kubelet?: KubeletSettings
  readonly services?: readonly SystemdUnit[]
  readonly daemons?: readonly Daemon[]
  /** /run/systemd/resolve/resolv.conf: the name servers behind the stub 127.0.0.53. */
  readonly resolvedResolvConf?: ResolvConf
  readonly throttling?: readonly CpuThrottling[]
  /** By link name. */
  readonly ethtool?: ReadonlyMap<string, EthtoolDevice>
  /** Sections of systemd.link files and NetworkManager settings, and of sysctl.d: each kept line after its file's name. */
  readonly linkSettings?: readonly SettingLine[]
  readonly sysctlSettings?: readonly SettingLine[]
  /** Logs of the containers of system pods on this node. */
  readonly logs: readonly PodLog[]
  /** Last lines of kubelet's journal. */
  readonly kubeletLog?: readonly Evidence[]
  /** Kernel modules that are loaded; built-in ones are not listed. */
  readonly modules?: ReadonlySet<string>
  /** /etc/machine-id */
  readonly machineId?: Evidence
}

/** A network configuration for the container runtime (CNI spec 1.1 section 1). */
export interface CniConfig {
  readonly name: string
  readonly cniVersion: string
  readonly plugins: readonly CniPlugin[]
}

export interface CniPlugin {
  readonly type: string
  /** Bridge of the bridge plugin, master of macvlan and ipvlan. */
  readonly link?: string
  readonly mtu?: number
  readonly hairpinMode?: boolean
  readonly ipMasq?: boolean
  readonly ipamType?: string
  readonly subnets: readonly Prefix[]
  readonly gateways: readonly Ip[]
  /** Capabilities the runtime must pass: portMappings, bandwidth… */
  readonly capabilities: readonly string[]
  /** The delegate of flannel and multus. */
  readonly delegate?: CniPlugin
}

export interface CniConfigFile {
  /** File name without its folder. */
  readonly name: string
  /** Null: not usable, for the reason in `broken`. */
  readonly config: CniConfig | null
  readonly broken?: string
  readonly evidence: Evidence
}

export interface DirectoryListing {
  /** Absolute path on the node. */
  readonly path: string
  /** False: there is no such directory. */
  readonly exists: boolean
  readonly entries: readonly DirectoryEntry[]
  readonly evidence: Evidence
}

export interface DirectoryEntry {
  readonly name: string
  readonly kind: 'file' | 'directory' | 'link' | 'other'
  readonly executable: boolean
  readonly evidence: Evidence
}

export interface IpamNetwork {
  /** Name of the network, as in the CNI configuration: `cbr0`. */
  readonly name: string
  readonly addresses: readonly { readonly ip: Ip; readonly evidence: Evidence }[]
  readonly evidence: Evidence
}

/** /run/flannel/subnet.env */
export interface FlannelSubnet {
  readonly networks: readonly Prefix[]
  /** The node's own subnets with the gateway's address: 10.244.1.1/24. */
  readonly subnets: readonly Prefix[]
  readonly mtu?: number
  readonly ipMasq?: boolean
  readonly evidence: Evidence
}

/** From config.yaml and kubeadm-flags.env of /var/lib/kubelet; flags win, as in kubelet. */
export interface KubeletSettings {
  readonly clusterDns: readonly Ip[]
  readonly clusterDomain?: string
  /** Path of the resolv.conf that pods with dnsPolicy Default inherit. */
  readonly resolvConf?: string
  readonly hairpinMode?: string
  readonly maxPods?: number
  readonly podCidr?: string
  /** --node-ip */
  readonly nodeIps: readonly Ip[]
  readonly hostnameOverride?: string
  readonly evidence: readonly Evidence[]
  /** The line of each setting, by the field's name above. */
  readonly lines: Readonly<Partial<Record<string, Evidence>>>
}

export interface SystemdUnit {
  readonly name: string
  /** loaded, not-found, masked… */
  readonly loadState: string
  /** active, inactive, failed… */
  readonly activeState: string
  /** As systemctl prints it; empty when it was never active. */
  readonly activeSince: string
  readonly evidence: Evidence
}

export interface Daemon {
  readonly pid: number
  /** Command line, split at blanks. */
  readonly words: readonly string[]
  readonly evidence: Evidence
}

/** cpu.stat of one cgroup below kubepods. Periods are those the quota was used up in. */
export interface CpuThrottling {
  readonly podUid: string
  /** Absent for the cgroup of the whole pod. */
  readonly containerId?: string
  readonly throttledPeriods: number
  /** Seconds the group was held back. */
  readonly throttledSeconds: number
  readonly periods?: number
  readonly evidence: Evidence
}

export interface EthtoolDevice {
  readonly driver?: string
  /** `tx-checksum-ip-generic` → on; `fixed` when it cannot be changed. */
  readonly features: ReadonlyMap<string, { readonly on: boolean; readonly fixed: boolean; readonly evidence: Evidence }>
  readonly counters: ReadonlyMap<string, { readonly value: number; readonly evidence: Evidence }>
}

export interface SettingLine {
  readonly file: string
  readonly text: string
  readonly evidence: Evidence
}

export interface PodLog {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  /** Oldest first, as the container runtime wrote them (CRI log format: time, stream, P or F, text). */
  readonly lines: readonly Evidence[]
}
