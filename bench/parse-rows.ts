/** How long it takes to read a large iptables-save, and how much memory. */
import { readFileSync } from 'node:fs'
import type { Ruleset } from '../src/model/ruleset.ts'
import { parseIptablesSave } from '../src/parse/iptables/index.ts'
import { type Figures, once, peakMemory, probe } from './measure.ts'
import type { Row } from './table.ts'

export function readLargeSave(text: string): Ruleset {
  return parseIptablesSave(text, { artefact: 'iptables-save.txt', family: 'ip', backend: 'iptables-nft' })
}

/** Reads every rule of every chain, which nothing but a full listing needs; gives their number. */
export function forceAll(ruleset: Ruleset): number {
  let rules = 0
  for (const table of ruleset.tables) for (const chain of table.chains.values()) rules += chain.rules().length
  return rules
}

export const parseProbes: Readonly<Record<string, (file: string) => Figures>> = {
  split(file) {
    const text = readFileSync(file, 'utf8')
    const ms = once(() => readLargeSave(text))
    return { ms, memory: peakMemory() }
  },
  force(file) {
    const text = readFileSync(file, 'utf8')
    let rules = 0
    const ms = once(() => {
      rules = forceAll(readLargeSave(text))
    })
    return { ms, memory: peakMemory(), rules }
  },
}

export function parseRows(file: string, rules: number): Row[] {
  const split = probe('split', file)
  const force = probe('force', file)
  if (force.rules !== rules) throw new Error(`${force.rules} rules were read out of ${rules}`)
  return [
    { what: 'parse: chains found, rules left for later', measured: split.ms!, unit: 'ms', target: 500 },
    { what: '  peak memory', measured: split.memory!, unit: 'MB', target: 400 },
    { what: 'parse: every rule of every chain', measured: force.ms!, unit: 'ms', target: 500 },
    { what: '  peak memory', measured: force.memory!, unit: 'MB', target: 400 },
  ]
}
