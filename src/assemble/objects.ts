/** The files below `objects/` → Kubernetes objects. */
import { decodeObjects } from '../kubeobj/decode.ts'
import type { KubeObjects } from '../kubeobj/objects.ts'
import { readManifests } from '../manifests/read.ts'
import type { Issue, Parsed } from '../model/evidence.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { Artefacts } from './artefacts.ts'

export function readObjects(snapshot: Snapshot, artefacts: Artefacts): Parsed<KubeObjects> {
  const issues: Issue[] = []
  const documents: { artefact: string; source?: string; value: unknown }[] = []
  for (const path of snapshot.paths('objects/')) {
    const { text, origin, trouble } = artefacts.read(path)
    if (trouble !== null) issues.push({ artefact: path, message: trouble })
    const read = readManifests(text)
    for (const { line, message } of read.troubles) issues.push({ artefact: path, line, message })
    for (const { value } of read.documents) documents.push({ ...origin, value })
  }
  const decoded = decodeObjects(documents)
  return { value: decoded.value, issues: [...issues, ...decoded.issues] }
}
