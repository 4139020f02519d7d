/** CNI configuration of nodes: none, unusable, or not the one the network agent serves. */
import type { NetworkNode } from '../../../model/network.ts'
import type { CniConfigFile } from '../../../model/node-files.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { agentsOf, isMeta, mainPlugin, pluginOfType, usedConfig } from '../../setup/agents.ts'
import { conditionProof, readyOf, waitingProof } from '../../setup/proof.ts'
import { lacksPlugin } from '../../setup/state.ts'

function filesOf(state: ClusterState, node: string): NetworkNode['files'] {
  return state.network.nodes.get(node)?.files
}

/** The first file in loading order, when it is broken. */
function brokenFirst(configs: readonly CniConfigFile[] | undefined): CniConfigFile | undefined {
  const first = configs?.[0]
  return first?.config === null ? first : undefined
}

/** `cni-config-missing`: kubelet says that the runtime has no network configuration, and no broken file explains it. */
export const cniConfigMissing: ClusterCheck = {
  name: 'cni-config-missing',
  find(state) {
    const lacking = state.objects.nodes.filter((n) => {
      if (!lacksPlugin(n)) return false
      const files = filesOf(state, n.meta.name)
      return brokenFirst(files?.cniConfigs) === undefined && usedConfig(files) === undefined
    })
    if (lacking.length === 0) return []
    const agents = agentsOf(state.objects).map((a) => a.pod)
    const all = state.objects.nodes.every(lacksPlugin)
    const proofs = lacking.flatMap((n) => {
      const files = filesOf(state, n.meta.name)
      return [conditionProof(n, readyOf(n)), files?.cniConfigDirectory?.evidence]
    })
    if (all && agents.length === 0)
      return [
        clusterFinding('cni-config-missing', {
          severity: 'warning',
          title: 'the network plugin is not installed yet',
          text: 'No node has a CNI configuration and no network agent is there: the cluster was set up as far as kubeadm goes. Nodes stay NotReady and DNS pods Pending until a network plugin is installed; that is as it should be.',
          where: {},
          concerns: [{ kind: 'cluster' }],
          evidence: proofs,
          remedy: {
            text: 'Install the network plugin (apply its manifest); its pod range must be the one of the nodes.',
          },
        }),
      ]
    return lacking.map((n) => {
      const name = n.meta.name
      const files = filesOf(state, name)
      const own = agents.filter((p) => p.nodeName === name)
      const bad = own.find(
        (p) => p.containerStatuses.some((s) => s.waitingReason !== undefined) || p.phase === 'Pending',
      )
      return clusterFinding('cni-config-missing', {
        severity: 'error',
        title: `${name} has no CNI configuration: its pods get no network`,
        text: `The container runtime of ${name} found no usable network configuration, so the node is NotReady and new pods wait. ${
          bad
            ? `The agent that writes it, ${bad.meta.namespace}/${bad.meta.name}, does not run there.`
            : own.length > 0
              ? `The agent ${own[0]!.meta.namespace}/${own[0]!.meta.name} runs there; it has not written the file, or somebody removed it.`
              : state.objects.known.has('Pod')
                ? 'No network agent runs there: its DaemonSet does not select or tolerate this node.'
                : ''
        }`.trim(),
        where: { node: name, object: `Node ${name}` },
        concerns: [{ kind: 'node', node: name }],
        evidence: [
          conditionProof(n, readyOf(n)),
          files?.cniConfigDirectory?.evidence,
          ...(bad ? [waitingProof(bad)] : []),
        ],
        remedy: {
          text: bad
            ? `Find out why the agent does not run (its log), and mend that.`
            : 'Restart the network agent on the node, so that it writes its configuration again.',
          commands: bad
            ? [`kubectl -n ${bad.meta.namespace} logs ${bad.meta.name} --all-containers --tail 50`]
            : own[0]
              ? [`kubectl -n ${own[0].meta.namespace} delete pod ${own[0].meta.name}`]
              : [],
        },
      })
    })
  },
}

/**
 * `cni-config-invalid`: the first file by name is broken. containerd then has no configuration at all (go-cni loadFromConfDir
 * gives up at the first error); CRI-O leaves the file out and goes on (ocicni loadNetworks).
 */
export const cniConfigInvalid: ClusterCheck = {
  name: 'cni-config-invalid',
  find(state) {
    return [...state.network.nodes.values()].flatMap((node): ClusterFinding[] => {
      const configs = node.files?.cniConfigs
      const broken = brokenFirst(configs)
      if (!broken || !configs) return []
      const object = state.objects.nodes.find((n) => n.meta.name === node.name)
      const next = configs.find((c) => c.config !== null)
      const ready = object && readyOf(object)?.status === 'True'
      const skips = /^cri-o:/.test(object?.containerRuntimeVersion ?? '') || ready === true
      const harmless = next !== undefined && skips
      return [
        clusterFinding('cni-config-invalid', {
          severity: harmless ? 'warning' : 'error',
          title: `the CNI configuration ${broken.name} of ${node.name} cannot be used`,
          text: `/etc/cni/net.d/${broken.name} is the first file by name, and so the one the container runtime takes: ${broken.broken ?? 'it is broken'}. ${
            harmless
              ? `${next.name} is used in its place for now.`
              : `New pods on ${node.name} get no network${next ? `, although ${next.name} is valid` : ''}.`
          }`,
          where: { node: node.name, object: `/etc/cni/net.d/${broken.name}` },
          concerns: [{ kind: 'node', node: node.name }],
          evidence: [broken.evidence, object && conditionProof(object, readyOf(object))],
          remedy: { text: 'Correct the file, or move it out of the folder (a name that ends in .bak is not read).' },
        }),
      ]
    })
  },
}

/**
 * `cni-config-conflict`: the runtime takes the first file by name, and it is not the one the agent of this cluster serves.
 * A meta plugin (multus) in front is meant so; a leftover that sorts later does nothing.
 */
export const cniConfigConflict: ClusterCheck = {
  name: 'cni-config-conflict',
  find(state) {
    const agents = agentsOf(state.objects)
    return [...state.network.nodes.values()].flatMap((node): ClusterFinding[] => {
      const valid = (node.files?.cniConfigs ?? []).flatMap((file) => {
        const main = file.config && mainPlugin(file.config)
        return main ? [{ file, main, plugin: pluginOfType(main.type) }] : []
      })
      const first = valid[0]
      if (!first || isMeta(first.main)) return []
      const here = new Set(agents.filter((a) => a.pod.nodeName === node.name).map((a) => a.plugin))
      if (here.size === 0 || (first.plugin !== undefined && here.has(first.plugin))) return []
      const meant = valid.slice(1).find((v) => v.plugin !== undefined && here.has(v.plugin))
      if (!meant) return []
      const agent = agents.find((a) => a.pod.nodeName === node.name && a.plugin === meant.plugin)!.pod
      return [
        clusterFinding('cni-config-conflict', {
          severity: 'error',
          title: `${node.name} uses ${first.file.name} (${first.main.type}), not ${meant.file.name} of its network agent`,
          text: `The container runtime takes the first file of /etc/cni/net.d by name. On ${node.name} that is ${first.file.name}, so new pods are connected by ${first.main.type} with its own addresses, while ${agent.meta.namespace}/${agent.meta.name} (${meant.plugin}) makes routes for others. The file is left over from another network plugin or came with a package.`,
          where: { node: node.name, object: `/etc/cni/net.d/${first.file.name}` },
          concerns: [{ kind: 'node', node: node.name }],
          evidence: [
            first.file.evidence,
            meant.file.evidence,
            node.files?.cniConfigDirectory?.evidence,
            { ...agent.evidence, text: `${agent.evidence.text} on ${node.name}` },
          ],
          remedy: {
            text: `Move ${first.file.name} out of the folder on ${node.name}, then create the pods that were started meanwhile anew.`,
            commands: [`mv /etc/cni/net.d/${first.file.name} /root/`],
          },
        }),
      ]
    })
  },
}
