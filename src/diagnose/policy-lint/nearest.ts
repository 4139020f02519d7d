/** The label somebody probably meant: the one nearest in spelling to the one that is not there. */
import type { Requirement } from '../../intent/policy/policy.ts'
import type { Labels } from '../../intent/policy/selector.ts'

/** Longest word compared; label values have at most 63 characters, keys with a prefix more. */
const LONGEST = 128

/** Insertions, deletions, changes and swaps of neighbours from one word to the other; `most + 1` when more. */
export function distance(a: string, b: string, most: number): number {
  if (a.length > LONGEST || b.length > LONGEST || Math.abs(a.length - b.length) > most) return most + 1
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, before[j - 2]! + 1)
      row.push(best)
    }
    before = last
    last = row
  }
  return Math.min(last[b.length]!, most + 1)
}

/** How many slips a word of this length may have to be still the same word: one in three letters, at most two. */
const slips = (word: string) => Math.min(2, Math.floor(word.length / 3))

export interface Nearest {
  readonly key: string
  readonly value: string
  /** `spelling`: a slip of the pen. `case`: upper or lower case. `key`: the value is there under another key. */
  readonly kind: 'spelling' | 'case' | 'key'
}

/** The label among `there` that `wanted` was probably meant to be; null when none is near. Digits are never slips: web-1 is not web-2. */
export function nearestLabel(wanted: Requirement, there: readonly Labels[]): Nearest | null {
  if (wanted.operator !== 'In') return null
  let best: (Nearest & { readonly score: number }) | null = null
  const offer = (found: Nearest, score: number) => {
    if (!best || score < best.score) best = { ...found, score }
  }
  for (const labels of there)
    for (const [key, value] of Object.entries(labels))
      for (const asked of wanted.values) {
        if (key === wanted.key) {
          if (value.toLowerCase() === asked.toLowerCase()) offer({ key, value, kind: 'case' }, 0)
          else if (letters(value) !== letters(asked)) {
            const far = distance(value, asked, slips(asked))
            if (far <= slips(asked)) offer({ key, value, kind: 'spelling' }, far)
          }
        } else if (
          value === asked &&
          value !== '' &&
          (isAlias(key, wanted.key) || distance(key, wanted.key, 2) <= slips(key))
        )
          offer({ key, value, kind: 'key' }, 3)
      }
  return best && { key: (best as Nearest).key, value: (best as Nearest).value, kind: (best as Nearest).kind }
}

/** Keys that people and charts use for the same thing; any other two keys with one value are two things. */
const ALIASES: readonly (readonly string[])[] = [
  ['app', 'k8s-app', 'name', 'app.kubernetes.io/name', 'app.kubernetes.io/instance', 'run'],
  ['name', 'namespace', 'ns', 'kubernetes.io/metadata.name'],
  ['component', 'tier', 'app.kubernetes.io/component'],
]

const isAlias = (a: string, b: string) => ALIASES.some((keys) => keys.includes(a) && keys.includes(b))

const letters = (word: string) => word.replace(/\d+/g, '#')
