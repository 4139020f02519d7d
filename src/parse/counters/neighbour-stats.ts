/**
 * `grep -H '' /proc/net/stat/arp_cache …` (net/core/neighbour.c neigh_stat_seq_show): a heading of names, then one line of
 * hexadecimal numbers per CPU. `entries` is the whole table's on every line; the others are to be added up.
 */
import { type Listing, type Origin, readLines } from '../rows.ts'

const TABLES: Readonly<Record<string, string>> = { arp_cache: 'arp', ndisc_cache: 'ndisc' }

/** Counters of the neighbour tables, named `arp.table_fulls`, `ndisc.entries` and so on, which no nstat name can be. */
export function parseNeighbourStats(text: string, _origin: Origin): Listing<readonly [string, number]> {
  const sums = new Map<string, number>()
  const headings = new Map<string, readonly string[]>()
  for (const { value: raw } of readLines(text)) {
    const m = /^\/proc\/net\/stat\/(arp_cache|ndisc_cache):(.*)$/.exec(raw)
    const table = m ? TABLES[m[1]!] : undefined
    if (!m || table === undefined) continue
    const words = m[2]!.trim().split(/\s+/)
    const names = headings.get(table)
    if (names === undefined) {
      headings.set(table, words)
      continue
    }
    for (const [i, name] of names.entries()) {
      const word = words[i] ?? ''
      if (!/^[0-9a-f]{1,13}$/.test(word) || !/^[a-z_]{1,40}$/.test(name)) continue
      const key = `${table}.${name}`
      const value = Number.parseInt(word, 16)
      sums.set(key, name === 'entries' ? value : (sums.get(key) ?? 0) + value)
    }
  }
  return { value: [...sums], issues: [], complete: true }
}
