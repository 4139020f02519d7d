/** Manifests as users write them: JSON or YAML, several documents, lists. */
import { parseAllDocuments } from 'yaml'
import { LabError } from './errors.ts'
import { isMap, type KubeJson, kindOf, listAt, nameOf, namespaceOf, textAt } from './kubejson.ts'

/** Names as the API server accepts them (RFC 1123 subdomain); they also end up in rules, file names and scripts. */
const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/

export const CLUSTER_SCOPED = new Set([
  'Node',
  'Namespace',
  'IngressClass',
  'PersistentVolume',
  'CustomResourceDefinition',
])

/** Every object in `text`, namespaces filled in; a LabError (exit code 2) names the file and the place of what is wrong. */
export function parseManifests(text: string, file: string): KubeJson[] {
  const out: KubeJson[] = []
  for (const document of parseAllDocuments(text, { uniqueKeys: true })) {
    const error = document.errors[0]
    if (error) throw new LabError(2, `${file}: ${error.message.split('\n')[0]}`)
    const value: unknown = document.toJS({ maxAliasCount: 100 })
    if (value === null || value === undefined) continue
    const found = isMap(value) && textAt(value, 'kind').endsWith('List') ? listAt(value, 'items') : [value]
    for (const object of found) out.push(check(object, `${file}: object ${out.length + 1}`))
  }
  if (out.length === 0) throw new LabError(2, `${file}: there is no object in it`)
  return out
}

function check(object: unknown, place: string): KubeJson {
  if (!isMap(object)) throw new LabError(2, `${place} is not a map`)
  const kind = kindOf(object)
  if (!/^[A-Z][A-Za-z0-9]{1,62}$/.test(kind)) throw new LabError(2, `${place} has no kind`)
  if (textAt(object, 'apiVersion') === '') throw new LabError(2, `${place} (${kind}) has no apiVersion`)
  const name = nameOf(object)
  if (!NAME.test(name) || name.length > 253) throw new LabError(2, `${place} (${kind}) has no valid metadata.name`)
  // A pod's name becomes a host name and part of a namespace's file name.
  if ((kind === 'Pod' || kind === 'Service' || kind === 'Namespace') && !LABEL.test(name))
    throw new LabError(2, `${place}: the name '${name}' of a ${kind} is not a DNS label`)
  if (CLUSTER_SCOPED.has(kind)) return object
  const namespace = namespaceOf(object) || 'default'
  if (!LABEL.test(namespace)) throw new LabError(2, `${place} (${kind} ${name}) has no valid namespace`)
  return { ...object, metadata: { ...(object.metadata as KubeJson), namespace } }
}
