/** Putting an entry into the table when its first packet leaves (`__nf_conntrack_confirm`). */
import type { ConntrackEntry } from '../../model/conntrack.ts'
import { tupleTaken } from './lookup.ts'

export interface Confirmed {
  readonly table: readonly ConntrackEntry[]
  /** True when another entry holds one of the tuples: the packet is dropped (`insert_failed`) unless clash resolution saves it. */
  readonly clash: boolean
}

/** The table with `entry` in it. On a clash the table stays as it is. */
export function confirm(table: readonly ConntrackEntry[], entry: ConntrackEntry): Confirmed {
  if (tupleTaken(table, entry.original, entry.zone) || tupleTaken(table, entry.reply, entry.zone))
    return { table, clash: true }
  return { table: [...table, entry], clash: false }
}
