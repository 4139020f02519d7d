/** Findings of the lint: where in which file, and how text about a place is written. */
import type { OtherObject } from '../../kubeobj/objects.ts'
import type { Evidence } from '../../model/evidence.ts'
import type { Finding, Severity } from '../../model/finding.ts'
import type { LintCode } from './codes.ts'
import type { LintPolicy, LintWorld, Path } from './input.ts'

export interface LintWords {
  readonly title: string
  readonly text: string
  /** Where it stands, the first the most exact. */
  readonly evidence: readonly Evidence[]
  readonly remedy?: Finding['remedy']
  /** `KIND namespace/name`; left out: the policy's. */
  readonly object?: string
}

/** A finding about `subject`, a policy or any object with a kind. */
export function lintFinding(code: LintCode, severity: Severity, object: string, words: LintWords): Finding {
  const { title, text, evidence, remedy } = words
  return {
    code,
    severity,
    title,
    text,
    where: { object: words.object ?? object },
    evidence,
    ...(remedy ? { remedy } : {}),
  }
}

export const objectOf = (p: LintPolicy): string => `NetworkPolicy ${p.name}`

/** `spec.egress[0].ports[1]`. */
export function pathText(path: Path): string {
  return path.map((p, i) => (typeof p === 'number' ? `[${p}]` : i === 0 ? p : `.${p}`)).join('')
}

/** The place of a field: file, line, and what stands there in short. */
export function placeOf(world: LintWorld, object: OtherObject, path: Path): Evidence {
  const { artefact, line: first, source } = object.evidence
  const line = world.input.lineOf?.(object, path) ?? first
  return {
    artefact,
    ...(line === undefined ? {} : { line }),
    text: `${pathText(path)}${valueText(path.reduce<unknown>(step, object.raw))}`,
    ...(source === undefined ? {} : { source }),
  }
}

function step(value: unknown, key: string | number): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string | number, unknown>)[key] : undefined
}

/** Longest value quoted, in UTF-16 units. */
const VALUE_LIMIT = 120

function valueText(value: unknown): string {
  const json = value === undefined ? undefined : JSON.stringify(value)
  if (json === undefined) return ''
  return `: ${json.length > VALUE_LIMIT ? `${json.slice(0, VALUE_LIMIT)}…` : json}`
}

/** `a`, `a and b`, `a, b and 3 more`. */
export function listed(names: readonly string[], most = 3): string {
  const unique = [...new Set(names)]
  if (unique.length > most) return `${unique.slice(0, most).join(', ')} and ${unique.length - most} more`
  return unique.length < 2 ? (unique[0] ?? '') : `${unique.slice(0, -1).join(', ')} and ${unique.at(-1)}`
}
