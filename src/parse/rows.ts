/**
 * Rows of machine output: the objects of a JSON listing or the lines of a text, each with its place. Nothing here trusts
 * a type: iproute2 prints numbers as strings, names for numbers and null for "present", and changes its mind per version.
 */
import { type Ip, parseIp } from '../base/ip.ts'
import type { Evidence, Issue, Parsed } from '../model/evidence.ts'

/** Where a text came from. */
export interface Origin {
  /** Path of the artefact in the snapshot, or a file name. */
  readonly artefact: string
  /** The command that gave it. */
  readonly source?: string
}

/** What a parser of a listing yields. `complete` false: something is missing from it, so absence proves nothing. */
export interface Listing<T> extends Parsed<readonly T[]> {
  readonly complete: boolean
}

export type Row = Readonly<Record<string, unknown>>

/** One object or line and where it stands. */
export interface Placed<T> {
  readonly value: T
  /** 1-based. */
  readonly line: number
  readonly text: string
}

/** Evidence texts are for people: longer ones are cut. */
const EVIDENCE_LIMIT = 400
/** One broken artefact yields at most this many issues. */
const ISSUE_LIMIT = 50

export function evidenceOf(origin: Origin, at: { readonly line: number; readonly text: string }): Evidence {
  const text = at.text.length > EVIDENCE_LIMIT ? `${at.text.slice(0, EVIDENCE_LIMIT)}…` : at.text
  return origin.source === undefined
    ? { artefact: origin.artefact, line: at.line, text }
    : { artefact: origin.artefact, line: at.line, text, source: origin.source }
}

/** Collects issues of one artefact, bounded. */
export function issueList(origin: Origin): {
  readonly issues: Issue[]
  add(line: number | undefined, message: string): void
} {
  const issues: Issue[] = []
  return {
    issues,
    add(line, message) {
      if (issues.length < ISSUE_LIMIT) issues.push({ artefact: origin.artefact, line, message })
    },
  }
}

/** True when the text is a JSON listing rather than the plain output of a tool too old for `-j`. */
export function looksLikeJson(text: string): boolean {
  return /^\s*\[/.test(text)
}

/**
 * The objects of one or more JSON arrays printed after one another (`ip -j`, `bridge -j`, `tc -j`). Objects are parsed one
 * by one, so that a listing cut short keeps what came before the cut; it is then not complete. Empty objects, which
 * iproute2 prints for rows its filter left out, are skipped. An empty text is a complete, empty listing.
 */
export function readJsonRows(text: string, origin: Origin): Listing<Placed<Row>> {
  const value: Placed<Row>[] = []
  const found = issueList(origin)
  let complete = true
  const fail = (line: number, message: string) => {
    complete = false
    found.add(line, message)
  }
  let depth = 0
  let line = 1
  let start = 0
  let startLine = 1
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === 10) line++
    else if (c === 34) {
      const end = endOfString(text, i)
      if (end < 0) break
      if (depth < 2) fail(line, 'text outside an object')
      i = end
    } else if (c === 123 || c === 91) {
      if (depth === 0 && c === 123) {
        fail(line, 'not a JSON listing')
        return { value, issues: found.issues, complete }
      }
      depth++
      if (depth === 2) {
        start = i
        startLine = line
      }
    } else if (c === 125 || c === 93) {
      depth--
      if (depth < 0) {
        fail(line, 'brackets do not match')
        return { value, issues: found.issues, complete }
      }
      if (depth === 1) addRow(text.slice(start, i + 1), startLine)
    } else if (depth < 2 && c !== 32 && c !== 44 && c !== 9 && c !== 13) {
      fail(line, 'not JSON')
      return { value, issues: found.issues, complete }
    }
  }
  if (depth !== 0) fail(line, 'cut short: the listing does not end')
  return { value, issues: found.issues, complete }

  function addRow(source: string, at: number): void {
    let row: unknown
    try {
      row = JSON.parse(source)
    } catch {
      fail(at, 'an object is not JSON')
      return
    }
    if (!isRow(row)) fail(at, 'not an object')
    else if (Object.keys(row).length > 0) value.push({ value: row, line: at, text: source })
  }
}

/** Index of the closing quote of the string that opens at `from`, or −1. */
function endOfString(text: string, from: number): number {
  let end = text.indexOf('"', from + 1)
  while (end >= 0) {
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === 92) slashes++
    if (slashes % 2 === 0) return end
    end = text.indexOf('"', end + 1)
  }
  return -1
}

/** The non-empty lines of a text, carriage returns removed. */
export function readLines(text: string): Placed<string>[] {
  const out: Placed<string>[] = []
  let line = 0
  for (const raw of text.split('\n')) {
    line++
    const t = raw.endsWith('\r') ? raw.slice(0, -1) : raw
    if (t.trim() !== '') out.push({ value: t, line, text: t })
  }
  return out
}

/** True for output that no text tool prints: NUL or many replacement characters. */
export function looksBinary(text: string): boolean {
  return text.slice(0, 4096).includes('\0') || (text.slice(0, 4096).match(/\ufffd/g)?.length ?? 0) > 8
}

export function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined
}

/** A finite number, also from decimal or 0x text. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  if (typeof value !== 'string') return undefined
  return /^\d+$/.test(value) || /^0x[0-9a-fA-F]+$/.test(value) ? Number(value) : undefined
}

/** iproute2 booleans: true, 1, "on", "yes", and null for "present". Undefined when the key is absent. */
export function booleanOf(value: unknown): boolean | undefined {
  if (value === undefined) return undefined
  return value === true || value === null || value === 1 || value === 'on' || value === '1' || value === 'yes'
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

export function textsOf(value: unknown): string[] {
  return listOf(value).filter((x): x is string => typeof x === 'string')
}

export function ipOf(value: unknown): Ip | undefined {
  return typeof value === 'string' ? (parseIp(value) ?? undefined) : undefined
}
