/** A selector that matches nothing but was surely meant for a workload that is there: a spelling apart, no more. */
import type { KubeObjects, PodObject, ServiceObject } from '../../../kubeobj/objects.ts'
import { isAlive } from '../../view/pod-view.ts'

export interface NearSelector {
  readonly pod: PodObject
  /** The selector that would match the pod. */
  readonly selector: Readonly<Record<string, string>>
}

const squashed = (text: string) => text.toLowerCase().replaceAll(/[-_.]/g, '')

/** One letter inserted, left out, changed or swapped with its neighbour, in words long enough; digits tell things apart. */
function misspelled(a: string, b: string): boolean {
  if (Math.min(a.length, b.length) < 4 || Math.abs(a.length - b.length) > 1 || a === b) return false
  let i = 0
  while (i < a.length && i < b.length && a[i] === b[i]) i++
  if (/\d/.test(a[i] ?? '') || /\d/.test(b[i] ?? '')) return false
  const rest = (x: string, from: number) => x.slice(from)
  if (a.length > b.length) return rest(a, i + 1) === rest(b, i)
  if (b.length > a.length) return rest(a, i) === rest(b, i + 1)
  const swapped = a[i] === b[i + 1] && a[i + 1] === b[i] && rest(a, i + 2) === rest(b, i + 2)
  return swapped || rest(a, i + 1) === rest(b, i + 1)
}

/** The label of the pod that the selector's pair was meant for: same key, or the same value under another key. */
function meantLabel(pod: PodObject, key: string, value: string): readonly [string, string] | null {
  const own = pod.meta.labels[key]
  if (own === value) return [key, value]
  if (own !== undefined && (squashed(own) === squashed(value) || misspelled(own, value))) return [key, own]
  const other = Object.entries(pod.meta.labels).find(
    ([k, v]) => k !== 'pod-template-hash' && k !== key && squashed(v) === squashed(value),
  )
  return other ?? null
}

/** A pod that every pair of the selector nearly fits; null when none does, or a pod fits a pair no spelling explains. */
export function nearSelector(objects: KubeObjects, service: ServiceObject): NearSelector | null {
  const wanted = Object.entries(service.selector ?? {})
  for (const pod of objects.pods) {
    if (pod.meta.namespace !== service.meta.namespace || !isAlive(pod) || wanted.length === 0) continue
    const labels = wanted.map(([k, v]) => meantLabel(pod, k, v))
    if (labels.every((l) => l !== null)) return { pod, selector: Object.fromEntries(labels) }
  }
  return null
}
