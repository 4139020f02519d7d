/** Lists, nested Lists and arrays to single objects, with where each came from. */
import { isRaw, objectOf, type Raw, textOf } from '../kubeobj/fields.ts'
import type { PathInObject } from './places.ts'
import type { ManifestDocument } from './read.ts'

export interface FlatObject {
  readonly raw: Raw
  readonly kind: string
  readonly apiVersion: string
  readonly name: string
  readonly line: number
  readonly path: PathInObject
}

export interface Flattened {
  readonly objects: readonly FlatObject[]
  /** Item kinds of Lists, which are known also where the List is empty. */
  readonly kinds: readonly string[]
  /** Why parts are no objects, each told once. */
  readonly refused: readonly { readonly line: number; readonly why: Refusal }[]
}

export type Refusal = 'no-object' | 'no-kind' | 'no-name' | 'template' | 'too-deep'

const MAX_LISTS = 4

/** The objects of one document, in order. An empty document has none. */
export function flatten(document: ManifestDocument): Flattened {
  const objects: FlatObject[] = []
  const kinds: string[] = []
  const refused: { line: number; why: Refusal }[] = []
  visit(document.value, [], '', '', document.line, document.itemLines)
  return { objects, kinds, refused }

  function visit(
    value: unknown,
    path: PathInObject,
    listKind: string,
    listVersion: string,
    line: number,
    lines?: readonly number[],
  ): void {
    if (value === null || value === undefined) return
    const list = Array.isArray(value) ? value : isRaw(value) && Array.isArray(value.items) ? value.items : null
    const kind = (isRaw(value) ? textOf(value.kind) : undefined) ?? listKind
    if (list && (Array.isArray(value) || /List$|^$/.test(kind))) {
      const itemKind = Array.isArray(value) ? listKind : kind === 'List' ? '' : kind.replace(/List$/, '')
      const version = isRaw(value) ? (textOf(value.apiVersion) ?? '') : listVersion
      if (itemKind !== '') kinds.push(itemKind)
      const inside = Array.isArray(value) ? path : [...path, 'items']
      if (path.length > MAX_LISTS * 2) refused.push({ line, why: 'too-deep' })
      else
        for (const [i, item] of list.entries())
          visit(item, [...inside, i], itemKind, itemKind === '' ? '' : version, lines?.[i] ?? line)
      return
    }
    if (!isRaw(value)) refused.push({ line, why: 'no-object' })
    else if (kind === '') refused.push({ line, why: 'no-kind' })
    else {
      const metadata = objectOf(value.metadata)
      const name = textOf(metadata.name)
      const apiVersion = textOf(value.apiVersion) ?? listVersion
      if (name === undefined || name === '') refused.push({ line, why: 'no-name' })
      else if (`${name}${textOf(metadata.namespace) ?? ''}${kind}`.includes('{{'))
        refused.push({ line, why: 'template' })
      else {
        const raw = value.kind === kind && value.apiVersion === apiVersion ? value : { ...value, kind, apiVersion }
        objects.push({ raw, kind, apiVersion, name, line, path })
      }
    }
  }
}
