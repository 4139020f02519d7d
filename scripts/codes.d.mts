import type { CodePage } from '../src/diagnose/codes.ts'

export function codesPage(
  codes: Readonly<Record<string, CodePage>>,
  reserved: Readonly<Record<string, readonly string[]>>,
): string
