/** What the network of a cluster is made of, and who made it (MISSION M3). No judgement: `doctor` judges. */
import type { KubeObjects } from '../../kubeobj/objects.ts'
import type { Decision, Inventory } from '../../model/inventory.ts'
import type { Network } from '../../model/network.ts'
import { cni, ipam } from './cni.ts'
import { ingress, loadBalancer } from './entrances.ts'
import { bandwidth, dns, mesh } from './extras.ts'
import { attachmentsOf, interfacesOf } from './interfaces.ts'
import { layersOf } from './layers.ts'
import { mtus } from './mtu.ts'
import { families, hostNetwork, ranges } from './numbers.ts'
import { overlay } from './overlay.ts'
import { ownersOf } from './owners.ts'
import { pathOf } from './path.ts'
import { policyCount, policyEnforcer } from './policy-enforcer.ts'
import { proxyMode } from './proxy-mode.ts'
import { rewritesOf } from './rewrites.ts'
import { type Surroundings, surroundingsOf } from './surroundings.ts'

export interface InventoryOptions {
  /** Only this node. */
  readonly node?: string
  /** Also count every rule by owner: reads all rules of all netns. */
  readonly owners: boolean
}

/** Works with objects alone, with node state alone, and with both; what was not collected is `unknown` with its reason. */
export function takeInventory(network: Network, objects: KubeObjects, options: InventoryOptions): Inventory {
  const s = surroundingsOf(network, objects, options.node)
  const decisions = decisionsOf(s)
  const owners = options.owners ? ownersOf(s) : { owners: [], unknown: [] }
  return {
    nodes: s.nodes.map((name) => ({
      name,
      collected: network.nodes.get(name)?.host !== undefined,
      versions: versionsOf(s, name),
    })),
    counts: {
      pods: objects.known.has('Pod') ? objects.pods.length : null,
      services: objects.known.has('Service') ? objects.services.length : null,
      policies: policyCount(s),
    },
    decisions,
    layers: layersOf(s, decisions),
    path: pathOf(s, rewritesOf(s)),
    interfaces: interfacesOf(s),
    attachments: attachmentsOf(s),
    owners: owners.owners,
    unknownChains: owners.unknown,
    missing: network.missing.filter(
      (m) => options.node === undefined || m.artefact.startsWith(`nodes/${options.node}`),
    ),
  }
}

function decisionsOf(s: Surroundings): Decision[] {
  return [
    hostNetwork(s),
    overlay(s),
    cni(s),
    ipam(s),
    families(s),
    ...ranges(s),
    mtus(s),
    proxyMode(s),
    policyEnforcer(s),
    dns(s),
    loadBalancer(s),
    ingress(s),
    mesh(s),
    bandwidth(s),
  ]
}

/** `kubelet v1.34.1, containerd 2.1.4, Linux 6.18`, as far as known. */
function versionsOf(s: Surroundings, name: string): string {
  const object = s.objects.nodes.find((n) => n.meta.name === name)
  const kernel = s.network.nodes.get(name)?.kernelRelease
  const runtime = object?.containerRuntimeVersion?.replace('://', ' ')
  return [
    ...(object?.kubeletVersion === undefined ? [] : [`kubelet ${object.kubeletVersion}`]),
    ...(runtime === undefined ? [] : [runtime]),
    ...(kernel === undefined ? [] : [`Linux ${kernel}`]),
  ].join(', ')
}
