/** What was not collected, told once per node and reason rather than once per netns. */
import type { Missing } from '../model/evidence.ts'
import type { Manifest } from '../snapshot/snapshot.ts'
import type { Artefacts } from './artefacts.ts'
import { NEEDS, SUBSTITUTES } from './needs.ts'
import type { Place } from './places.ts'

export function missingOf(manifest: Manifest, places: readonly Place[], artefacts: Artefacts): Missing[] {
  const out: Missing[] = []
  for (const a of manifest.artefacts)
    if (a.path.startsWith('objects/') && a.exitCode !== 0)
      out.push({
        artefact: a.path,
        consequence: `${a.bytes === 0 ? 'These objects' : 'Some of these objects'} were not read from the API server: ${a.stderr || 'no answer'}`,
      })
  for (const node of manifest.nodes) {
    const own = places.filter((p) => p.node === node.name)
    if (node.error !== undefined) {
      out.push({
        artefact: `nodes/${node.name}`,
        consequence: `${own.length === 0 ? 'Nothing' : 'Not everything'} was collected on ${node.name}: ${node.error}`,
      })
      if (own.length === 0) continue
    }
    if (own.length > 0 && !own.some((p) => p.kind === 'host'))
      out.push({
        artefact: `nodes/${node.name}/host`,
        consequence: `The host netns of ${node.name} was not collected: packets cannot be followed through it`,
      })
    out.push(...missingOfNode(node.name, own, artefacts))
  }
  for (const pod of manifest.pods)
    if (pod.folder === null && pod.hostNetwork !== true)
      out.push({
        artefact: `nodes/${pod.node}/pods/${pod.namespace}_${pod.name}`,
        consequence: `The netns of pod ${pod.namespace}/${pod.name} was not collected: ${pod.error ?? 'it was not found'}; packets cannot be followed through it`,
      })
  return out
}

function missingOfNode(node: string, places: readonly Place[], artefacts: Artefacts): Missing[] {
  const groups = new Map<string, { what: string; file: string; consequence: string; reason: string; places: Place[] }>()
  for (const place of places)
    for (const need of NEEDS)
      for (const file of need.files) {
        const path = `${place.folder}/${file}`
        const reason = artefacts.trouble(path)
        if (reason === null) continue
        const substitute = SUBSTITUTES[file]
        if (substitute !== undefined && artefacts.trouble(`${place.folder}/${substitute}`) === null) continue
        if (need.artefact === 'iptables-legacy' && legacyIsDefault(place, artefacts)) continue
        if (need.hostOnly === true && place.kind !== 'host' && !artefacts.mentioned(path)) continue
        const key = `${file}\0${reason}`
        const group = groups.get(key)
        if (group) group.places.push(place)
        else groups.set(key, { what: need.what, file, consequence: need.consequence, reason, places: [place] })
      }
  return [...groups.values()].map((g) => ({
    artefact: g.places.length === 1 ? `${g.places[0]!.folder}/${g.file}` : `nodes/${node}/*/${g.file}`,
    consequence: `${g.what} were not collected on ${where(node, g.places)}: ${g.reason}; ${g.consequence}`,
  }))
}

/** Then `iptables-save` holds the legacy tables. */
function legacyIsDefault(place: Place, artefacts: Artefacts): boolean {
  const version = artefacts.read(`nodes/${place.node}/node/iptables-version.txt`).text
  return version.trim() !== '' && !version.includes('nf_tables')
}

function where(node: string, places: readonly Place[]): string {
  const one = places[0]!
  if (places.length === 1) return one.kind === 'host' ? node : `${node} in ${one.label}`
  const others = places.filter((p) => p.kind !== 'host').length
  if (others === places.length) return `${node} in ${others} pods or namespaces`
  return `${node} and ${others} of its pods or namespaces`
}
