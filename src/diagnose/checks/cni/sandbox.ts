/** Pods that cannot be created (Case A): a finding per cause and node, from what the runtime says of each. */
import type { ClusterCheck, ClusterFinding, ClusterState, Concern } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { isAllInOne, mainPlugin, usedConfig } from '../../setup/agents.ts'
import { told } from '../../setup/proof.ts'
import { type SandboxTrouble, sandboxTroubles } from '../../setup/stuck.ts'
import { type SandboxCause, sandboxCause } from './sandbox-cause.ts'

interface Group {
  readonly node: string | undefined
  readonly cause: SandboxCause
  readonly troubles: readonly SandboxTrouble[]
}

/** Pods stuck for one cause on one node. Address texts differ per pod; what they differ in is not part of the key. */
export function stuckBy(state: ClusterState, wanted: (cause: SandboxCause) => boolean): Group[] {
  const groups = new Map<string, { node: string | undefined; cause: SandboxCause; troubles: SandboxTrouble[] }>()
  for (const trouble of sandboxTroubles(state)) {
    const cause = sandboxCause(trouble.message)
    if (!wanted(cause)) continue
    const key = JSON.stringify([trouble.node, cause])
    const group = groups.get(key)
    if (group) group.troubles.push(trouble)
    else groups.set(key, { node: trouble.node, cause, troubles: [trouble] })
  }
  return [...groups.values()]
}

/** `pod shop/web` or `3 pods (shop/web, …)`. */
export function podsWords(troubles: readonly SandboxTrouble[]): string {
  const names = troubles.map((t) => `${t.namespace}/${t.name}`)
  if (names.length === 1) return `pod ${names[0]}`
  return `${names.length} pods (${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''})`
}

export function podConcerns(troubles: readonly SandboxTrouble[]): Concern[] {
  return troubles.map((t) => ({ kind: 'pod', namespace: t.namespace, name: t.name }))
}

export function proofsOf(troubles: readonly SandboxTrouble[]) {
  return troubles.slice(0, 3).flatMap((t) => t.evidence)
}

/** Every plugin binary the configuration in use needs, with the file that names it. */
function needed(
  state: ClusterState,
  node: string,
): { readonly types: readonly string[]; readonly file: string } | null {
  const used = usedConfig(state.network.nodes.get(node)?.files)
  if (!used?.config || mainPlugin(used.config) === null) return null
  const types = used.config.plugins.flatMap((p) => [
    p.type,
    p.ipamType,
    p.delegate?.ipamType,
    // flannel hands the work to bridge and host-local unless told otherwise (flannel-cni plugin flannel_linux.go).
    ...(p.type === 'flannel' ? [p.delegate?.type ?? 'bridge', 'host-local'] : []),
  ])
  return { types: [...new Set(types.filter((t) => t !== undefined))], file: used.name }
}

/** `cni-plugin-missing`: the runtime says so, or the folder it searches lacks a binary that the configuration names. */
export const cniPluginMissing: ClusterCheck = {
  name: 'cni-plugin-missing',
  find(state) {
    const told = stuckBy(state, (c) => c.kind === 'plugin-missing').flatMap((g): ClusterFinding[] => {
      if (g.cause.kind !== 'plugin-missing') return []
      const { plugin, path } = g.cause
      const files = g.node === undefined ? undefined : state.network.nodes.get(g.node)?.files
      const config = files?.cniConfigs?.find((c) => c.config?.plugins.some((p) => p.type === plugin))
      return [
        clusterFinding('cni-plugin-missing', {
          severity: 'error',
          title: `the CNI plugin ${plugin} is not installed${g.node ? ` on ${g.node}` : ''}: ${podsWords(g.troubles)} cannot start`,
          text: `The CNI configuration names the plugin ${plugin}, and ${path || 'the plugin folder'} has no such program. Pods that run already keep their network; new ones stay ContainerCreating.`,
          where: g.node ? { node: g.node } : {},
          concerns: podConcerns(g.troubles),
          evidence: [...proofsOf(g.troubles), config?.evidence, files?.cniBinaries?.evidence],
          remedy: {
            text: `Install ${plugin} into ${path || 'the plugin folder'}${g.node ? ` of ${g.node}` : ''} (package containernetworking-plugins, or the installer of your network plugin), or correct the plugin folder in the runtime's configuration.`,
          },
        }),
      ]
    })
    const known = new Set(told.map((f) => f.finding.where.node))
    return [...told, ...[...state.network.nodes.keys()].filter((n) => !known.has(n)).flatMap((n) => absent(state, n))]
  },
}

/** By the listing alone, and only where it is certain that the runtime searches there and nowhere else. */
function absent(state: ClusterState, node: string): ClusterFinding[] {
  const files = state.network.nodes.get(node)?.files
  const binaries = files?.cniBinaries
  const wants = needed(state, node)
  const runtime = state.objects.nodes.find((n) => n.meta.name === node)?.containerRuntimeVersion ?? ''
  if (!files || !binaries?.exists || binaries.entries.length === 0 || !wants) return []
  if (isAllInOne(files) || !runtime.startsWith('containerd:') || files.cniPlaces === undefined) return []
  if (files.cniPlaces.binDirs.some((d) => d !== binaries.path)) return []
  if (files.cniPlaces.configDirs.some((d) => d !== '/etc/cni/net.d')) return []
  const there = new Set(binaries.entries.map((e) => e.name))
  const lacking = wants.types.filter((t) => !there.has(t))
  if (lacking.length === 0) return []
  const file = files.cniConfigs?.find((c) => c.name === wants.file)
  return [
    clusterFinding('cni-plugin-missing', {
      severity: 'error',
      title: `the CNI plugin ${lacking.join(', ')} is not installed on ${node}: no new pod can start there`,
      text: `${wants.file} on ${node} needs ${lacking.join(' and ')}, which ${lacking.length === 1 ? 'is' : 'are'} not in ${binaries.path}. Pods that run already keep their network.`,
      where: { node },
      concerns: [{ kind: 'object' }],
      evidence: [file?.evidence, binaries.evidence],
      remedy: { text: `Install ${lacking.join(', ')} into ${binaries.path} of ${node}.` },
    }),
  ]
}

/** `sandbox-creation-failed`: pods without a network, for a cause no other code names. */
export const sandboxCreationFailed: ClusterCheck = {
  name: 'sandbox-creation-failed',
  find(state) {
    const mine = new Set(['no-subnet-file', 'agent-absent', 'unauthorized', 'api-unreachable', 'other'])
    return stuckBy(state, (c) => mine.has(c.kind)).flatMap((g) => {
      const node = state.objects.nodes.find((n) => n.meta.name === g.node)
      // flannel has no subnet because the node has no range: pod-cidr-missing says so.
      if (g.cause.kind === 'no-subnet-file' && node && node.podCIDRs.length === 0) return []
      const { why, remedy } = words(g.cause, g.node)
      return [
        clusterFinding('sandbox-creation-failed', {
          severity: 'error',
          title: `${podsWords(g.troubles)}${g.node ? ` on ${g.node}` : ''} cannot start: the network plugin fails`,
          text: `${why} The plugin said: ${told(g.troubles[0]!.message)}`,
          where: g.node ? { node: g.node } : {},
          concerns: podConcerns(g.troubles),
          evidence: proofsOf(g.troubles),
          remedy: { text: remedy },
        }),
      ]
    })
  },
}

function words(cause: SandboxCause, node: string | undefined): { why: string; remedy: string } {
  const on = node ? ` on ${node}` : ''
  switch (cause.kind) {
    case 'no-subnet-file':
      return {
        why: `flannel has not written /run/flannel/subnet.env${on}: its agent does not run there or has got no subnet.`,
        remedy: `Look at the log of the kube-flannel pod${on}; the file comes back when it runs.`,
      }
    case 'agent-absent':
      return {
        why: `The plugin does not find ${cause.what}${on}: the agent does not run there, or starts later than the pod.`,
        remedy: `See to it that the agent of the network plugin runs${on}; waiting pods then start by themselves.`,
      }
    case 'unauthorized':
      return {
        why: "The plugin's credentials for the API server are refused: expired, or made for another cluster.",
        remedy: `Restart the network agent${on}, which writes new credentials; look at the clock of the machine.`,
      }
    case 'api-unreachable':
      return {
        why: `The plugin needs the API server and does not reach it (${cause.how}). ${/refused/.test(cause.how) ? 'Refused: somebody answered, and nothing serves there or a rule rejects.' : /timeout/.test(cause.how) ? 'Timeout: packets are dropped on the way.' : 'No route: routing or ARP.'}`,
        remedy: `Find out why ${node ?? 'the node'} does not reach ${cause.how.split(': ')[0]}: netwhy why ${node ? `node/${node}` : 'NODE'} svc/default/kubernetes.`,
      }
    default:
      return {
        why: 'The container is not created at all, so nothing in the pod can be at fault.',
        remedy: `Look at the plugin's and the runtime's logs${on}.`,
      }
  }
}
