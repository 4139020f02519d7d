/** `netwhy inventory -o json`: `{ "apiVersion": "netwhy/v1", "kind": "Inventory", … }`, in stable order. */
import type { Evidence } from '../model/evidence.ts'
import type { Inventory } from '../model/inventory.ts'
import { evidenceJson } from './answer-json.ts'
import { clean, LINE_LIMIT } from './clean.ts'

const LIMIT = LINE_LIMIT * 10

export function inventoryJson(inv: Inventory): Record<string, unknown> {
  return {
    apiVersion: 'netwhy/v1',
    kind: 'Inventory',
    nodes: inv.nodes,
    counts: inv.counts,
    decisions: inv.decisions.map(citing),
    layers: inv.layers.map(citing),
    path: inv.path.map((p) => ({ ...safe(p), rewrites: p.rewrites === null ? null : p.rewrites.map(citing) })),
    interfaces: inv.interfaces.map(({ evidence, ...rest }) => ({ ...safe(rest), evidence: [evidenceJson(evidence)] })),
    attachments: inv.attachments.map(safe),
    owners: inv.owners.map(safe),
    unknownChains: inv.unknownChains.map(({ evidence, ...rest }) => ({
      ...safe(rest),
      evidence: [evidenceJson(evidence)],
    })),
    missing: inv.missing.map(safe),
  }
}

/** `netwhy links -o json`: the interfaces and attachments of the inventory. */
export function linksJson(inv: Inventory): Record<string, unknown> {
  const { apiVersion, nodes, interfaces, attachments, missing } = inventoryJson(inv)
  return { apiVersion, kind: 'Links', nodes, attachments, interfaces, missing }
}

/** `netwhy rules owners -o json`. */
export function ownersJson(inv: Inventory): Record<string, unknown> {
  const { apiVersion, nodes, owners, unknownChains, missing } = inventoryJson(inv)
  return { apiVersion, kind: 'RuleOwners', nodes, owners, unknownChains, missing }
}

function citing<T extends { readonly evidence: readonly Evidence[] }>(fact: T): Record<string, unknown> {
  const { evidence, ...rest } = fact
  return { ...safe(rest), evidence: evidence.map(evidenceJson) }
}

/** Texts at the first level made printable: they quote names and rules of the cluster. */
function safe(fact: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fact).map(([k, v]) => [k, typeof v === 'string' ? clean(v, LIMIT) : v]))
}
