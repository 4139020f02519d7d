/** A snapshot → the network it is evidence of, and the Kubernetes objects in it. */
import { compareIp } from '../base/ip.ts'
import type { KubeObjects } from '../kubeobj/objects.ts'
import type { Issue } from '../model/evidence.ts'
import type { Link, Network, NetworkNode } from '../model/network.ts'
import { parseKernelLog } from '../parse/kernellog/kernellog.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { type Artefacts, artefactsOf } from './artefacts.ts'
import { lazy } from './lazy.ts'
import { missingOf } from './missing.ts'
import { type NetnsDraft, netnsOf } from './netns.ts'
import { nodeFilesOf } from './node-files.ts'
import { readObjects } from './objects.ts'
import { type Place, placesOf } from './places.ts'
import { endKey, type Pairing, pairAcross, pairVeths, type VethSide } from './veths.ts'

/**
 * Nothing is parsed here but the manifest: a netns reads its artefacts when they are looked at, and `issues` and `missing`
 * of the network grow with what that turns up. `objects` is decoded when first asked for.
 */
export function assemble(snapshot: Snapshot): { readonly network: Network; readonly objects: KubeObjects } {
  const issues: Issue[] = []
  const artefacts = artefactsOf(snapshot)
  const decoded = lazy(() => {
    const read = readObjects(snapshot, artefacts)
    issues.push(...read.issues)
    return read.value
  })
  const podOfUid = (uid: string) => {
    const meta = decoded().pods.find(
      (p) => p.meta.uid === uid || p.meta.annotations['kubernetes.io/config.hash'] === uid,
    )?.meta
    return meta && { namespace: meta.namespace, name: meta.name }
  }
  const places = placesOf(snapshot, podOfUid)
  const missing = missingOf(snapshot.manifest, places, artefacts)
  const drafts = new Map<string, NetnsDraft>()
  const names = [...new Set([...snapshot.manifest.nodes.map((n) => n.name), ...places.map((p) => p.node)])]
  const pairings = new Map<string, () => Pairing['peers']>()
  const sidesOf = (node: string) => places.filter((p) => p.node === node).map((p) => sideOf(p, drafts.get(p.id)!))
  const within = new Map(names.map((node) => [node, lazy(() => pairVeths(sidesOf(node)))]))
  const across = lazy(() => {
    const pairs = names.map((node) => within.get(node)!())
    const taken = new Map(pairs.flatMap((p) => [...p.peers]))
    return pairAcross(names.flatMap(sidesOf), taken).peers
  })
  for (const node of names)
    pairings.set(
      node,
      lazy(() => {
        const own = within.get(node)!()
        issues.push(...own.issues)
        // Between nodes only netns of one machine can be joined; there a lone veth names the inode of a netns of another.
        const elsewhere = lazy(() => inodesOf(names.filter((n) => n !== node).flatMap(sidesOf)))
        const shared = names.length > 1 && sidesOf(node).some((s) => leadsTo(s, own, elsewhere))
        return shared ? new Map([...own.peers, ...across()]) : own.peers
      }),
    )
  for (const place of places) {
    const around = {
      artefacts,
      iptablesVersion: artefacts.read(`nodes/${place.node}/node/iptables-version.txt`).text,
      peers: () => pairings.get(place.node)!(),
      issues,
      missing,
    }
    drafts.set(place.id, netnsOf(place, around))
  }
  const files = (name: string) =>
    lazy(() => nodeFilesOf(name, snapshot.paths(`nodes/${name}/node/`), artefacts, issues))
  const network: Network = {
    nodes: new Map(names.map((name) => [name, nodeOf(name, places, artefacts, files(name))])),
    netns: new Map([...drafts].map(([id, draft]) => [id, draft.netns])),
    issues,
    missing,
  }
  return {
    network,
    get objects() {
      return decoded()
    },
  }
}

function nodeOf(
  name: string,
  places: readonly Place[],
  artefacts: Artefacts,
  files: () => NetworkNode['files'],
): NetworkNode {
  const own = places.filter((p) => p.node === name)
  const host = own.find((p) => p.kind === 'host')?.id
  const release = artefacts.read(`nodes/${name}/node/kernel-release.txt`).text.trim()
  const log = lazy(() => {
    const read = artefacts.read(`nodes/${name}/node/kernel-log.txt`)
    return read.text === '' ? undefined : parseKernelLog(read.text, read.origin)
  })
  return {
    name,
    ...(host === undefined ? {} : { host }),
    pods: own.filter((p) => p.kind === 'pod').map((p) => p.id),
    ...(release === '' ? {} : { kernelRelease: release.slice(0, 200) }),
    get kernelLog() {
      return log()
    },
    get files() {
      return files()
    },
  }
}

function inodesOf(sides: readonly VethSide[]): ReadonlySet<string> {
  return new Set(sides.map((s) => s.identity?.inode).filter((i) => i !== undefined))
}

/** True when a veth without a peer on its own node names the inode of one of those netns. */
function leadsTo(side: VethSide, own: Pairing, inodes: () => ReadonlySet<string>): boolean {
  return side.links.some((l) => {
    if (l.kind !== 'veth' || l.linkNetnsid === undefined || own.peers.has(endKey(side.id, l.ifindex))) return false
    const inode = side.identity?.inodes.get(l.linkNetnsid)
    return inode !== undefined && inodes().has(inode)
  })
}

function sideOf(place: Place, draft: NetnsDraft): VethSide {
  return {
    id: place.id,
    node: place.node,
    kind: place.kind,
    artefact: `${place.folder}/ip-link.json`,
    get links() {
      return draft.ownLinks()
    },
    get identity() {
      return draft.identity()
    },
    tied: (link, pod, podLink) => isTied(draft, link, pod, podLink),
  }
}

/** A host route to the pod's address over the link, or the pod's MAC as a neighbour on it or learned behind it. */
function isTied(host: NetnsDraft, link: Link, _pod: VethSide, podLink: Link): boolean {
  const { routes, neighbours, fdb } = host.netns
  return (
    podLink.addresses.some(({ ip }) =>
      routes.some(
        (r) =>
          r.dst.length === (ip.family === 4 ? 32 : 128) &&
          compareIp(r.dst.ip, ip) === 0 &&
          r.type === 'unicast' &&
          r.nexthops.some((n) => n.link === link.name),
      ),
    ) ||
    (podLink.mac !== '' &&
      (neighbours.some((n) => n.link === link.name && n.mac === podLink.mac) ||
        fdb.some((f) => f.link === link.name && f.mac === podLink.mac)))
  )
}
