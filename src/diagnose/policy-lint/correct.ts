/**
 * A corrected manifest: the policy's own document with a few fields changed, comments kept, read again and evaluated. It counts
 * as verified when the connections it changes, in a sample, are the intended ones and no other.
 */
import { type Document, isMap, isScalar, parseDocument, Document as YamlDocument } from 'yaml'
import { isObject } from '../../intent/policy/selector.ts'
import type { KubeObjects, OtherObject, PodObject } from '../../kubeobj/objects.ts'
import type { Remedy } from '../../model/finding.ts'
import type { LintPolicy, LintWorld, Path } from './input.ts'
import { type Change, compare } from './sample.ts'

export type Edit =
  | { readonly path: Path; readonly set: unknown }
  | { readonly path: Path; readonly remove: true }
  /** To the end of a list, which is made when it is not there. */
  | { readonly path: Path; readonly append: unknown }

export interface Correction {
  readonly edits: readonly Edit[]
  readonly intended: (change: Change) => boolean
  /** True: a correction under which no connection of the sample changes is right too. */
  readonly mayChangeNothing?: boolean
  /** Pods to ask about, when the policy selects others after the change. */
  readonly subjects?: readonly PodObject[]
  /** Pods that must be among the peers that are asked about. */
  readonly others?: readonly PodObject[]
}

/** Larger documents are not written out. */
const LONGEST_TEXT = 64 * 1024

/** The remedy with the first correction that is verified; without any that is, with the first that could be written. */
export function correct(world: LintWorld, p: LintPolicy, text: string, ...corrections: readonly Correction[]): Remedy {
  let unverified: string | null = null
  for (const c of corrections) {
    const manifest = edited(world, p.object, c.edits)
    if (manifest === null) continue
    unverified ??= manifest
    const after = withManifest(world.objects, p.object, manifest)
    if (after && holds(compare(world, p, after, c.subjects ?? p.subjects, c.others ?? []), c))
      return { text, manifest, verified: true }
  }
  return { text, ...(unverified === null ? {} : { manifest: unverified }), verified: false }
}

function holds(changes: readonly Change[] | null, c: Correction): boolean {
  if (changes === null || (changes.length === 0 && c.mayChangeNothing !== true)) return false
  return changes.every(c.intended)
}

/** The objects with the policy replaced by what `manifest` says; null when it cannot be read back. */
function withManifest(objects: KubeObjects, object: OtherObject, manifest: string): KubeObjects | null {
  const raw: unknown = parseDocument(manifest, { version: '1.1' }).toJS({ maxAliasCount: 100 })
  if (!isObject(raw)) return null
  return { ...objects, others: objects.others.map((o) => (o === object ? { ...o, raw } : o)) }
}

function edited(world: LintWorld, object: OtherObject, edits: readonly Edit[]): string | null {
  const text = world.input.textOf?.(object) ?? null
  const doc = (text === null ? null : ownDocument(text)) ?? new YamlDocument(bare(object.raw), { version: '1.1' })
  for (const edit of edits) if (!apply(doc, edit)) return null
  // People write lists either way; the document's own way is kept.
  const indentSeq = text === null || !/^([ \t]*)[\w.]+:[ \t]*(#.*)?\n\1- /m.test(text)
  const out = doc.toString({ lineWidth: 0, indentSeq, flowCollectionPadding: text === null || !/\[\S/.test(text) })
  return out.length > LONGEST_TEXT ? null : out
}

/** The document when it is one sound mapping without aliases: a change behind an alias would change two places. */
function ownDocument(text: string): Document | null {
  if (text.length > LONGEST_TEXT || /(^|\s)\*\w/.test(text)) return null
  const doc = parseDocument(text, { version: '1.1', keepSourceTokens: false })
  return doc.errors.length > 0 || !isMap(doc.contents) ? null : doc
}

function apply(doc: Document, edit: Edit): boolean {
  if ('remove' in edit) return doc.deleteIn(edit.path)
  if ('set' in edit) {
    const there = doc.getIn(edit.path, true)
    // The value alone: a comment behind it stays.
    if (isScalar(there) && !isObject(edit.set) && !Array.isArray(edit.set)) {
      there.value = edit.set
      delete there.source
      return true
    }
    doc.setIn(edit.path, doc.createNode(edit.set))
    return true
  }
  if (doc.hasIn(edit.path)) doc.addIn(edit.path, doc.createNode(edit.append))
  else doc.setIn(edit.path, doc.createNode([edit.append]))
  return true
}

/** Fields that the API server writes and nobody applies. */
const WRITTEN_BY_SERVER = new Set([
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'generation',
  'managedFields',
  'selfLink',
])
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

function bare(raw: OtherObject['raw']): Record<string, unknown> {
  const { status: _, metadata, ...rest } = raw
  const own = Object.entries(isObject(metadata) ? metadata : {}).flatMap(([key, value]): [string, unknown][] => {
    if (WRITTEN_BY_SERVER.has(key)) return []
    if (key !== 'annotations' || !isObject(value)) return [[key, value]]
    const kept = Object.entries(value).filter(([k]) => k !== LAST_APPLIED)
    return kept.length === 0 ? [] : [[key, Object.fromEntries(kept)]]
  })
  const { apiVersion, kind, ...body } = rest
  return { apiVersion, kind, metadata: Object.fromEntries(own), ...body }
}
