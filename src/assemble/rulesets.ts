/** Rulesets of one netns from all back ends, each table once. */
import type { Ruleset } from '../model/ruleset.ts'
import { parseIptablesSave } from '../parse/iptables/index.ts'
import { parseNftJson, parseNftText } from '../parse/nft/index.ts'
import type { Artefact, Artefacts } from './artefacts.ts'

export interface RulesetsRead {
  readonly rulesets: readonly Ruleset[]
  /** Whether the tables of each back end are all here. */
  readonly iptables: boolean
  readonly legacy: boolean
  readonly nft: boolean
  /** Artefacts that came without trouble and yet end too early. */
  readonly cut: readonly string[]
}

/** Tables that iptables-nft makes (iptables/nft.c xtables_ipv4, xtables_arp, xtables_bridge). */
const IPTABLES_NAMES: ReadonlySet<string> = new Set(['filter', 'nat', 'mangle', 'raw', 'security', 'broute'])

/**
 * `iptables-save` is what the default back end prints; which one that is, its own header says, or `iptables -V`. Tables
 * that iptables-nft printed are taken out of the nft listing. One it refused to print (`# Table ... is incompatible`) or
 * failed on stays in there.
 *
 * @param v6off no link here has an IPv6 address: rules for IPv6 that were not read decide nothing
 */
export function readRulesets(
  folder: string,
  artefacts: Artefacts,
  version: string,
  v6off: () => boolean,
): RulesetsRead {
  const nft = readNft(folder, artefacts)
  const out: Ruleset[] = []
  const printed = new Set<string>()
  const whole = { 'iptables-nft': true, 'iptables-legacy': true }
  const both = [
    [4, 'iptables'],
    [6, 'ip6tables'],
  ] as const
  let missed = false
  const cut: string[] = []
  for (const [family, tool] of both) {
    const saved = artefacts.read(`${folder}/${tool}-save.txt`)
    const fallback = artefacts.read(`${folder}/${tool}-nft-save.txt`)
    const legacy = artefacts.read(`${folder}/${tool}-legacy-save.txt`)
    const defaultBackend = backendOf(saved.text, version, artefacts.mentioned(legacy.origin.artefact))
    const files: readonly (readonly [Artefact, 'iptables-nft' | 'iptables-legacy'])[] =
      defaultBackend === 'iptables-legacy'
        ? [
            [saved, 'iptables-legacy'],
            [fallback, 'iptables-nft'],
          ]
        : [
            [saved, 'iptables-nft'],
            [legacy, 'iptables-legacy'],
          ]
    for (const [file, backend] of files) {
      if (file === saved && !isWhole(file)) missed ||= family === 4 || !v6off()
      if (!isWhole(file)) {
        if (file.trouble === null) cut.push(file.origin.artefact)
        // Where nft was read, nothing of iptables-nft is lost: it is in the nft listing.
        const covered = (backend === 'iptables-nft' && nft.whole) || (family === 6 && v6off())
        if (!covered) whole[backend] = false
        continue
      }
      const ruleset = parseIptablesSave(file.text, {
        artefact: file.origin.artefact,
        family: family === 4 ? 'ip' : 'ip6',
        backend,
      })
      if (ruleset.tables.length === 0 && ruleset.issues.length === 0) continue
      out.push(ruleset)
      if (backend === 'iptables-nft') for (const t of ruleset.tables) printed.add(`${t.family} ${t.name}`)
    }
  }
  if (nft.ruleset) {
    const tables = nft.ruleset.tables.filter(
      (t) => !(IPTABLES_NAMES.has(t.name) && printed.has(`${t.family} ${t.name}`)),
    )
    if (tables.length > 0 || nft.ruleset.tables.length === 0) out.push({ ...nft.ruleset, tables })
  }
  return {
    rulesets: out,
    iptables: !missed || (whole['iptables-nft'] && nft.whole),
    legacy: whole['iptables-legacy'],
    nft: nft.whole,
    cut,
  }
}

function backendOf(text: string, version: string, hasLegacySibling: boolean): 'iptables-nft' | 'iptables-legacy' {
  const header = text.slice(0, 300)
  if (/nf_tables|-nft-save/.test(header)) return 'iptables-nft'
  if (/legacy/.test(header)) return 'iptables-legacy'
  if (version.includes('nf_tables')) return 'iptables-nft'
  if (version.trim() !== '') return 'iptables-legacy'
  return hasLegacySibling ? 'iptables-nft' : 'iptables-legacy'
}

/** Read without trouble, and every table it begins is committed. */
function isWhole(file: Artefact): boolean {
  if (file.trouble !== null) return false
  const begun = file.text.match(/^\*/gm)?.length ?? 0
  const ended = file.text.match(/^COMMIT\s*$/gm)?.length ?? 0
  return begun === ended
}

function readNft(folder: string, artefacts: Artefacts): { readonly ruleset: Ruleset | null; readonly whole: boolean } {
  const text = artefacts.read(`${folder}/nft-ruleset.txt`)
  if (text.trouble === null && balanced(text.text)) {
    const ruleset = parseNftText(text.text, text.origin.artefact)
    return { ruleset: ruleset.tables.length > 0 || ruleset.issues.length > 0 ? ruleset : null, whole: true }
  }
  const json = artefacts.read(`${folder}/nft-ruleset.json`)
  if (json.trouble === null && isJson(json.text)) {
    if (json.text.trim() === '') return { ruleset: null, whole: true }
    return { ruleset: parseNftJson(json.text, json.origin.artefact), whole: true }
  }
  return text.text.trim() === ''
    ? { ruleset: null, whole: false }
    : { ruleset: parseNftText(text.text, text.origin.artefact), whole: false }
}

/** A listing that was cut has an open block at its end: nft closes a table with `}` in the first column. */
function balanced(text: string): boolean {
  const end = text.slice(-200)
  return end.trim() === '' || /(^|\n)\}\s*$/.test(end)
}

function isJson(text: string): boolean {
  if (text.trim() === '') return true
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
