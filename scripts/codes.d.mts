import type { CodePage } from '../src/diagnose/codes.ts'

export interface Exhibits {
  readonly lab: readonly string[]
  readonly cases: readonly {
    readonly id: string
    readonly from: string
    readonly to: string
    readonly protocol: string
  }[]
  readonly golden: readonly { readonly file: string; readonly text: string }[]
  readonly tests: readonly string[]
}

export function exhibits(
  faults: readonly { readonly name: string; readonly code: string }[],
): Readonly<Record<string, Exhibits>>

export function codesPages(
  codes: Readonly<Record<string, CodePage>>,
  reserved: Readonly<Record<string, readonly string[]>>,
  shown: Readonly<Record<string, Exhibits>>,
): ReadonlyMap<string, string>
