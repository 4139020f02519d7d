/** One oracle case: rulesets as removable pieces, so that a failing case can be made smaller, and the probes sent through them. */
import type { Probe } from './probe.ts'

/** A rule in pieces: leaving a match out still gives a valid rule. */
export interface RulePieces {
  readonly matches: readonly string[]
  readonly target: string
}

export interface ChainPieces {
  readonly name: string
  /** Base chain: iptables chain policy, or nft `type … hook …;` line. Absent for a regular chain. */
  readonly base?: string
  readonly rules: readonly RulePieces[]
}

export interface TablePieces {
  readonly name: string
  readonly chains: readonly ChainPieces[]
  /** nft: declarations of sets and maps, ready to print. */
  readonly sets: readonly string[]
}

export interface RulesetPieces {
  readonly backend: 'iptables-nft' | 'iptables-legacy' | 'nft'
  readonly family: 4 | 6
  /** nft table family. */
  readonly tableFamily: 'ip' | 'ip6' | 'inet'
  readonly tables: readonly TablePieces[]
}

export interface OracleCase {
  readonly seed: number
  readonly family: 4 | 6
  /** `ipset restore` lines. */
  readonly ipsets: readonly string[]
  readonly rulesets: readonly RulesetPieces[]
  readonly probes: readonly Probe[]
}

/** The text that iptables-restore or `nft -f` loads. */
export function renderRuleset(r: RulesetPieces): string {
  const out: string[] = []
  for (const t of r.tables) {
    if (r.backend === 'nft') {
      out.push(`table ${r.tableFamily} ${t.name} {`, ...t.sets.map((s) => `  ${s}`))
      for (const c of [...t.chains].reverse()) {
        out.push(`  chain ${c.name} {`)
        if (c.base) out.push(`    ${c.base}`)
        for (const rule of c.rules) out.push(`    ${[...rule.matches, 'counter', rule.target].join(' ')}`)
        out.push('  }')
      }
      out.push('}')
    } else {
      out.push(`*${t.name}`)
      for (const c of t.chains) out.push(`:${c.name} ${c.base ?? '-'} [0:0]`)
      for (const c of t.chains)
        for (const rule of c.rules) out.push(`-A ${c.name} ${[...rule.matches, rule.target].join(' ')}`)
      out.push('COMMIT')
    }
  }
  return `${out.join('\n')}\n`
}
