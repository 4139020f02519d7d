/** The files below `objects/` → Kubernetes objects. */
import { parseAllDocuments } from 'yaml'
import { decodeObjects } from '../kubeobj/decode.ts'
import type { KubeObjects } from '../kubeobj/objects.ts'
import type { Issue, Parsed } from '../model/evidence.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { Artefacts } from './artefacts.ts'

export function readObjects(snapshot: Snapshot, artefacts: Artefacts): Parsed<KubeObjects> {
  const issues: Issue[] = []
  const documents: { artefact: string; source?: string; value: unknown }[] = []
  for (const path of snapshot.paths('objects/')) {
    const { text, origin, trouble } = artefacts.read(path)
    if (trouble !== null) issues.push({ artefact: path, message: trouble })
    if (text.trim() === '') continue
    const read = /^\s*[[{]/.test(text) ? readJson(text) : readYaml(text)
    if (read.trouble !== null) issues.push({ artefact: path, message: read.trouble })
    for (const value of read.values) documents.push({ ...origin, value })
  }
  const decoded = decodeObjects(documents)
  return { value: decoded.value, issues: [...issues, ...decoded.issues] }
}

interface Values {
  readonly values: readonly unknown[]
  readonly trouble: string | null
}

function readJson(text: string): Values {
  try {
    return { values: [JSON.parse(text)], trouble: null }
  } catch (e) {
    return { values: [], trouble: `not JSON: ${(e as Error).message.slice(0, 200)}` }
  }
}

/** Documents up to the first broken one; aliases are bounded against expansion bombs. */
function readYaml(text: string): Values {
  const values: unknown[] = []
  try {
    for (const d of parseAllDocuments(text, { prettyErrors: false })) {
      if (d.errors[0]) return { values, trouble: `not YAML: ${d.errors[0].message.slice(0, 200)}` }
      values.push(d.toJS({ maxAliasCount: 100 }))
    }
    return { values, trouble: null }
  } catch (e) {
    return { values, trouble: `not YAML: ${(e as Error).message.slice(0, 200)}` }
  }
}
