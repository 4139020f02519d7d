/** The netns of a snapshot: where each one's artefacts lie and what it is called. */
import type { NetnsId } from '../model/network.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

export interface Place {
  readonly id: NetnsId
  readonly node: string
  readonly kind: 'host' | 'pod' | 'other'
  readonly pod?: { readonly namespace: string; readonly name: string }
  /** `nodes/node2/pods/shop_web-1`, without a slash at the end. */
  readonly folder: string
  /** For people: `pod shop/web-1`. */
  readonly label: string
}

/**
 * Host netns of every node, pod netns of the manifest's list, and whatever else has a folder. `podOfUid` names a pod for
 * a folder `netns/pod-UID`, which the collector makes for pods it knows only by their cgroup.
 */
export function placesOf(
  snapshot: Snapshot,
  podOfUid: (uid: string) => { readonly namespace: string; readonly name: string } | undefined,
): Place[] {
  const places: Place[] = []
  const taken = new Set<string>()
  const add = (place: Place) => {
    if (taken.has(place.folder) || places.some((p) => p.id === place.id)) return
    taken.add(place.folder)
    places.push(place)
  }
  for (const pod of snapshot.manifest.pods) {
    if (pod.folder === null || pod.hostNetwork === true) continue
    add(podPlace(pod.node, pod, pod.folder.replace(/\/$/, '')))
  }
  const folders = new Set<string>()
  for (const path of snapshot.paths('nodes/')) {
    const m = /^nodes\/[^/]+\/(?:host|pods\/[^/]+|netns\/[^/]+)(?=\/)/.exec(path)
    if (m) folders.add(m[0])
  }
  for (const folder of folders) {
    const [, node, kind, name] = folder.split('/') as [string, string, string, string | undefined]
    if (kind === 'host') add({ id: `${node}/host`, node, kind, folder, label: 'host' })
    else if (kind === 'pods') {
      // No namespace holds an underscore (RFC 1123 labels), so the first one ends it.
      const cut = name!.indexOf('_')
      if (cut > 0) add(podPlace(node, { namespace: name!.slice(0, cut), name: name!.slice(cut + 1) }, folder))
    } else {
      const pod = name!.startsWith('pod-') ? podOfUid(name!.slice('pod-'.length)) : undefined
      if (pod) add(podPlace(node, pod, folder))
      else add({ id: `${node}/netns/${name}`, node, kind: 'other', folder, label: `netns ${name}` })
    }
  }
  return places
}

function podPlace(node: string, pod: { readonly namespace: string; readonly name: string }, folder: string): Place {
  const { namespace, name } = pod
  const id = `${node}/pod/${namespace}/${name}`
  return { id, node, kind: 'pod', pod: { namespace, name }, folder, label: `pod ${namespace}/${name}` }
}
