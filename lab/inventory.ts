/** The inventory file with which `--lab` and `--inventory` find the lab's machines. */
import { join } from 'node:path'
import { stringify } from 'yaml'
import { type LabPlace, NODES, nodeNetns } from './plan.ts'
import type { PodPlan } from './pods.ts'
import { objectsPath, writeWhole } from './state.ts'

export function inventoryPath(place: LabPlace): string {
  return join(place.dir, 'inventory.yaml')
}

export function writeInventory(place: LabPlace, pods: readonly PodPlan[]): void {
  const inventory = {
    nodes: NODES.map((n) => ({ name: n.name, via: { netns: nodeNetns(place, n.name) } })),
    pods: pods.map((p) => ({
      namespace: p.namespace,
      name: p.name,
      node: p.node.name,
      via: { netns: p.netns },
    })),
    objects: [objectsPath(place)],
  }
  writeWhole(inventoryPath(place), stringify(inventory))
}
