/** Kubernetes objects as plain JSON: how the lab stores them. Fields are read through here, never trusted to be there. */

export type KubeJson = { [key: string]: unknown }

export function isMap(value: unknown): value is KubeJson {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The map at `path`, or an empty one. */
export function mapAt(object: KubeJson, ...path: string[]): KubeJson {
  let at: unknown = object
  for (const key of path) at = isMap(at) ? at[key] : undefined
  return isMap(at) ? at : {}
}

/** The maps in the list at `path`. */
export function listAt(object: KubeJson, ...path: string[]): KubeJson[] {
  const value = mapAt(object, ...path.slice(0, -1))[path[path.length - 1]!]
  return Array.isArray(value) ? value.filter(isMap) : []
}

/** The strings in the list at `path`. */
export function stringsAt(object: KubeJson, ...path: string[]): string[] {
  const value = mapAt(object, ...path.slice(0, -1))[path[path.length - 1]!]
  return Array.isArray(value) ? value.filter((v): v is string => typeof v === 'string') : []
}

/** The string at `path`, or an empty one. */
export function textAt(object: KubeJson, ...path: string[]): string {
  const value = mapAt(object, ...path.slice(0, -1))[path[path.length - 1]!]
  return typeof value === 'string' ? value : ''
}

export const kindOf = (o: KubeJson) => textAt(o, 'kind')
export const nameOf = (o: KubeJson) => textAt(o, 'metadata', 'name')
export const namespaceOf = (o: KubeJson) => textAt(o, 'metadata', 'namespace')

export function labelsOf(o: KubeJson): Record<string, string> {
  const out: Record<string, string> = {}
  for (const [k, v] of Object.entries(mapAt(o, 'metadata', 'labels'))) if (typeof v === 'string') out[k] = v
  return out
}

export function ofKind(objects: readonly KubeJson[], kind: string): KubeJson[] {
  return objects.filter((o) => kindOf(o) === kind)
}

/** `Kind namespace/name`, or `Kind name` for what has no namespace. */
export function describe(o: KubeJson): string {
  return `${kindOf(o)} ${namespaceOf(o) === '' ? '' : `${namespaceOf(o)}/`}${nameOf(o)}`
}

/** Whether `labels` satisfy a LabelSelector (apimachinery labels.Requirement: NotIn and DoesNotExist match an absent key). */
export function selects(selector: KubeJson, labels: Readonly<Record<string, string>>): boolean {
  for (const [key, value] of Object.entries(mapAt(selector, 'matchLabels'))) if (labels[key] !== value) return false
  for (const e of listAt(selector, 'matchExpressions')) {
    const value = labels[textAt(e, 'key')]
    const values = stringsAt(e, 'values')
    switch (textAt(e, 'operator')) {
      case 'In':
        if (value === undefined || !values.includes(value)) return false
        break
      case 'NotIn':
        if (value !== undefined && values.includes(value)) return false
        break
      case 'Exists':
        if (value === undefined) return false
        break
      case 'DoesNotExist':
        if (value !== undefined) return false
        break
      default:
        return false
    }
  }
  return true
}
