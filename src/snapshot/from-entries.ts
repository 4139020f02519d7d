/** The files of an archive or folder → a snapshot: one with a manifest, or what collect.sh wrote for one or more nodes. */
import { type ArchiveEntry, SnapshotFormatError } from './entries.ts'
import { parseManifest } from './manifest.ts'
import { type Source, snapshotOf } from './memory.ts'
import { nodeEvidence, nodeFolders } from './node-evidence.ts'
import { type ManifestArtefact, type ManifestPod, SNAPSHOT_VERSION, type Snapshot } from './snapshot.ts'

export const MANIFEST_FILE = 'manifest.json'
const utf8 = new TextDecoder()

/**
 * @param time when the evidence was gathered, for archives without a manifest (RFC 3339)
 * @throws SnapshotFormatError when the files are no snapshot
 */
export function snapshotFromEntries(entries: readonly ArchiveEntry[], time: string): Snapshot {
  const manifest =
    entries.find((e) => e.path === MANIFEST_FILE) ?? entries.find((e) => /^[^/]+\/manifest\.json$/.test(e.path))
  if (manifest) {
    const top = manifest.path.slice(0, -MANIFEST_FILE.length)
    const files = new Map<string, Source>()
    for (const e of entries) if (e !== manifest && e.path.startsWith(top)) files.set(e.path.slice(top.length), e.data)
    return snapshotOf(parseManifest(utf8.decode(manifest.data())), files)
  }
  const folders = nodeFolders(entries)
  if (folders.length === 0)
    throw new SnapshotFormatError('not a netwhy snapshot: it has neither manifest.json nor NODE/index.tsv')
  const files = new Map<string, Source>()
  const artefacts: ManifestArtefact[] = []
  const pods: ManifestPod[] = []
  for (const folder of folders) {
    const evidence = nodeEvidence(entries, folder, folder)
    for (const [path, source] of evidence.files) files.set(path, source)
    artefacts.push(...evidence.artefacts)
    pods.push(...evidence.pods)
  }
  const nodes = folders.map((name) => ({ name, via: 'collect.sh' }))
  return snapshotOf({ version: SNAPSHOT_VERSION, time, tool: 'collect.sh 1', nodes, pods, artefacts }, files)
}
