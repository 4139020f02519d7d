import type { Tables } from './assembly.ts'
import type { Token } from './tokens.ts'

/** A ruleset text being read, and what all its readers share. */
export interface NftSource {
  readonly text: string
  readonly tables: Tables
  /** Values of `define`d variables. */
  readonly variables: ReadonlyMap<string, readonly Token[]>
}
