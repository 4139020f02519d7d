/** Generated policies and what trying them showed, as `netwhy policy generate -o json` prints them (docs/policy.md). */
import { clean } from './clean.ts'

export interface PolicyGeneration {
  /** NetworkPolicy objects as the API server takes them. */
  readonly policies: readonly Readonly<Record<string, unknown>>[]
  readonly verified: {
    readonly wanted: number
    readonly allowed: number
    readonly refused: readonly { readonly connection: string; readonly why: string }[]
    readonly beyond: readonly { readonly from: string; readonly to: string; readonly ports: readonly string[] }[]
    readonly setAside: readonly string[]
  }
  readonly notes: readonly string[]
}

const text = (t: string) => clean(t, 1000)

export function policyGenerationJson(g: PolicyGeneration): Record<string, unknown> {
  const { wanted, allowed, refused, beyond, setAside } = g.verified
  return {
    apiVersion: 'netwhy/v1',
    kind: 'PolicyGeneration',
    policies: g.policies,
    verified: {
      wanted,
      allowed,
      refused: refused.map((r) => ({ connection: text(r.connection), why: text(r.why) })),
      beyond: beyond.map((b) => ({ from: text(b.from), to: text(b.to), ports: b.ports })),
      setAside: setAside.map(text),
    },
    notes: g.notes.map(text),
  }
}
