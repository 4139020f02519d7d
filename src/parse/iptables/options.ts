/** A rule line grouped by who its options belong to: the core, each match extension in order, the target. */
import { tokenize, type Words } from './tokens.ts'

export interface Option {
  /** As written, with its dashes: `--dport`, `-s`. */
  readonly name: string
  readonly negate: boolean
  readonly args: readonly string[]
}

export interface Group {
  /** Extension name in lower case for matches (`tcp`, `conntrack`), as written for targets. */
  readonly name: string
  readonly options: Option[]
}

export interface RuleOptions {
  readonly core: readonly Option[]
  readonly matches: readonly Group[]
  readonly target: Group | null
  readonly goto: boolean
}

const CORE = new Map([
  ['-s', '-s'],
  ['--source', '-s'],
  ['--src', '-s'],
  ['-d', '-d'],
  ['--destination', '-d'],
  ['--dst', '-d'],
  ['-p', '-p'],
  ['--protocol', '-p'],
  ['--proto', '-p'],
  ['-i', '-i'],
  ['--in-interface', '-i'],
  ['-o', '-o'],
  ['--out-interface', '-o'],
  ['-f', '-f'],
  ['--fragment', '-f'],
  ['-4', '-4'],
  ['--ipv4', '-4'],
  ['-6', '-6'],
  ['--ipv6', '-6'],
  ['-c', '-c'],
  ['--set-counters', '-c'],
  ['-w', '-w'],
  ['--wait', '-w'],
])

/** A dash that does not begin a negative number. */
function isOption(words: Words, i: number): boolean {
  const t = words.texts[i]!
  if (words.quoted[i] || t.length < 2 || t.charCodeAt(0) !== 45) return false
  const c = t.charCodeAt(1)
  return c < 48 || c > 57
}

const isNot = (words: Words, i: number) => words.texts[i] === '!' && !words.quoted[i]
const NO_ARGS: readonly string[] = []

/** Groups the words that follow the chain name. */
export function groupOptions(line: string): RuleOptions {
  const words = tokenize(line)
  const { texts } = words
  const core: Option[] = []
  const matches: Group[] = []
  let target: Group | null = null
  let goto = false
  let current: Group | null = null
  let protocol = ''
  let negate = false
  for (let i = 0; i < texts.length; ) {
    if (isNot(words, i)) {
      negate = true
      i++
      continue
    }
    const name = texts[i]!
    let from = i + 1
    // The old spelling puts the negation behind the option: `-s ! 10.0.0.0/8`.
    if (from < texts.length && isNot(words, from) && from + 1 < texts.length && !isOption(words, from + 1)) {
      negate = true
      from++
    }
    let to = from
    while (to < texts.length && !isOption(words, to) && !isNot(words, to)) to++
    const args = to === from ? NO_ARGS : to === from + 1 ? [texts[from]!] : texts.slice(from, to)
    i = to
    if (name === '-m' || name === '--match') {
      current = { name: (args[0] ?? '').toLowerCase(), options: [] }
      matches.push(current)
    } else if (name === '-j' || name === '--jump' || name === '-g' || name === '--goto') {
      goto = name === '-g' || name === '--goto'
      target = { name: args[0] ?? '', options: [] }
      current = target
    } else {
      const short = CORE.get(name)
      if (short) {
        core.push({ name: short, negate, args })
        if (short === '-p') protocol = (args[0] ?? '').toLowerCase()
      } else {
        if (!current) {
          // `-p tcp --dport 80`: the protocol's extension is loaded without -m.
          current = { name: protocol, options: [] }
          matches.push(current)
        }
        current.options.push({ name, negate, args })
      }
    }
    negate = false
  }
  return { core, matches, target, goto }
}
