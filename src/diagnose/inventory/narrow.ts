/** The part of an inventory that is about one node or one pod. */
import type { Inventory } from '../../model/inventory.ts'

/** `node/NAME` or NAME, `pod/NS/NAME` or NS/NAME; null when neither is in the inventory. */
export function narrowTo(inv: Inventory, reference: string): Inventory | null {
  const node = reference.replace(/^node\//, '')
  if (inv.nodes.some((n) => n.name === node))
    return {
      ...inv,
      nodes: inv.nodes.filter((n) => n.name === node),
      interfaces: inv.interfaces.filter((i) => i.node === node),
      attachments: inv.attachments.filter((a) => a.node === node),
      owners: inv.owners.filter((o) => o.node === node),
      unknownChains: inv.unknownChains.filter((c) => c.node === node),
      missing: inv.missing.filter((m) => m.artefact.startsWith(`nodes/${node}/`) || m.artefact === `nodes/${node}`),
    }
  const pod = reference.replace(/^pod\//, '')
  const attachments = inv.attachments.filter((a) => a.pod === pod)
  const [first] = attachments
  if (!first) return null
  const hostLinks = new Set(attachments.flatMap((a) => [a.hostLink, a.bridge].filter((x) => x !== undefined)))
  const own = (i: { readonly node: string; readonly netns: string }) =>
    i.node === first.node && i.netns === `pod/${pod}`
  return {
    ...inv,
    nodes: inv.nodes.filter((n) => n.name === first.node),
    interfaces: inv.interfaces.filter(
      (i) => own(i) || (i.node === first.node && i.netns === 'host' && hostLinks.has(i.name)),
    ),
    attachments,
    owners: inv.owners.filter(own),
    unknownChains: inv.unknownChains.filter(own),
  }
}
