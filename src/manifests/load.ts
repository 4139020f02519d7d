/** Files of manifests to the objects in them, what is wrong with them, and where everything stands. */
import { decodeObjects, namespaceOf } from '../kubeobj/decode.ts'
import { objectOf, textOf } from '../kubeobj/fields.ts'
import type { KubeObjects } from '../kubeobj/objects.ts'
import type { Issue } from '../model/evidence.ts'
import { type FlatObject, flatten, type Refusal } from './flatten.ts'
import { foreignKinds } from './kinds.ts'
import { groupOf, type Origin, objectKey, type Places, placesOf } from './places.ts'
import { type ManifestDocument, readManifests, type Trouble } from './read.ts'
import { withTemplates } from './templates.ts'

export interface ManifestFile {
  /** As the user would name it; evidence cites it. */
  readonly path: string
  readonly text: string
}

export interface Manifests {
  readonly objects: KubeObjects
  /** What was not read or looks wrong; one per file and kind of trouble. */
  readonly issues: readonly Issue[]
  readonly places: Places
}

export interface LoadOptions {
  /** Namespace of objects that name none, as `kubectl apply -n`; `default` when left out. */
  readonly namespace?: string
}

/** Kinds a set of manifests speaks of completely: what is not in the files is not there. */
const COMPLETE = [
  ...['Pod', 'NetworkPolicy', 'AdminNetworkPolicy', 'BaselineAdminNetworkPolicy', 'ClusterNetworkPolicy'],
  ...['GlobalNetworkPolicy', 'Tier', 'GlobalNetworkSet', 'NetworkSet'],
  ...['CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy'],
]

/**
 * Reads all files in order; of an object that comes twice the later counts and the issue says so. Workloads without pods stand
 * for their pods (see `withTemplates`). Never throws: what cannot be read is an issue.
 */
export function loadManifests(files: readonly ManifestFile[], options: LoadOptions = {}): Manifests {
  const issues: Issue[] = []
  const values: { artefact: string; line: number; value: unknown; namespace?: string }[] = []
  const origins = new Map<string, { readonly group: string; readonly origin: Origin }[]>()
  const doubles = new Map<string, Double>()
  const kinds = new Set<string>()
  const seen: { readonly kind: string; readonly apiVersion: string; readonly file: string }[] = []
  for (const { path: file, text } of files) {
    const { documents, troubles } = readManifests(text)
    const refused: { line: number; why: Refusal }[] = []
    let found = 0
    for (const document of documents) {
      const flat = flatten(document)
      for (const kind of flat.kinds) kinds.add(kind)
      refused.push(...flat.refused)
      found += flat.objects.length
      for (const object of flat.objects) {
        if (object.kind === 'Secret') continue
        remember(object, document, file)
        seen.push({ kind: object.kind, apiVersion: object.apiVersion, file })
        const { namespace } = options
        values.push({ artefact: file, line: object.line, value: object.raw, ...(namespace ? { namespace } : {}) })
      }
    }
    issues.push(...troublesOf(file, troubles, refused, found))
  }
  const { value, issues: undecoded } = decodeObjects(values)
  const known = new Set([...value.known, ...kinds, ...COMPLETE])
  return {
    objects: withTemplates({ ...value, known }),
    issues: [...issues, ...[...doubles.values()].map(doubleIssue), ...undecoded, ...foreignKinds(seen)],
    places: placesOf(origins),
  }

  function remember(object: FlatObject, document: ManifestDocument, file: string): void {
    const { kind, name, apiVersion, line, path } = object
    const namespace = namespaceOf(kind, textOf(objectOf(object.raw.metadata).namespace), options.namespace)
    const key = objectKey({ kind, namespace, name })
    const group = groupOf(apiVersion)
    const known = origins.get(key) ?? []
    const earlier = known.find((k) => k.group === group)
    origins.set(key, [
      ...known.filter((k) => k !== earlier),
      { group, origin: { file, chunk: document.chunk, line, path } },
    ])
    if (!earlier) return
    const pair = `${file} ${earlier.origin.file}`
    const before = doubles.get(pair)
    if (before) before.count++
    else
      doubles.set(pair, {
        file,
        line,
        what: `${key} is also at ${earlier.origin.file}:${earlier.origin.line}`,
        count: 1,
      })
  }
}

/** Objects of one file that stand in another, or twice in it. */
interface Double {
  readonly file: string
  readonly line: number
  /** The first. */
  readonly what: string
  count: number
}

function doubleIssue({ file, line, what, count }: Double): Issue {
  const others = count === 1 ? '; this later one counts' : `, and ${count - 1} more of this file; the later ones count`
  return { artefact: file, line, message: `${what}${others}` }
}

const REFUSED: Readonly<Record<Refusal, string>> = {
  'no-object': 'no Kubernetes object',
  'no-kind': 'no Kubernetes object: it has no kind',
  'no-name': 'an object without a name',
  template: 'a template; render it first',
  'too-deep': 'Lists too deep inside Lists',
}

/** One issue for each kind of trouble in a file, at its first line, with how often it is. */
function troublesOf(
  file: string,
  troubles: readonly Trouble[],
  refused: readonly { readonly line: number; readonly why: Refusal }[],
  objects: number,
): Issue[] {
  const told = new Map<string, { line: number; count: number }>()
  const tell = (message: string, line: number) => {
    const known = told.get(message)
    if (known) known.count++
    else told.set(message, { line, count: 1 })
  }
  const name = file.slice(file.lastIndexOf('/') + 1)
  const leftover = objects === 0 ? LEFTOVERS.find(([pattern]) => pattern.test(name))?.[1] : undefined
  for (const t of troubles) tell(t.message, t.line)
  for (const r of refused) tell(leftover ?? REFUSED[r.why], r.line)
  return [...told].map(([message, { line, count }]) => ({
    artefact: file,
    line,
    message: count === 1 ? message : `${message} (${count} times)`,
  }))
}

/** Files that lie beside manifests and are none. */
const LEFTOVERS: readonly (readonly [name: RegExp, what: string])[] = [
  [/^Chart\.(ya?ml|lock)$/, 'the description of a Helm chart, no object'],
  [/^values.*\.(ya?ml|json)$/, 'values of a Helm chart, no object'],
  [/^kustomization\.ya?ml$/i, 'a kustomization, no object; the files beside it are read as they are'],
]
