/** A rule line grouped by who its options belong to: the core, each match extension in order, the target. */
import { type Token, tokenize } from './tokens.ts'

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

const isOption = (t: Token) => !t.quoted && t.text.length > 1 && t.text.charCodeAt(0) === 45 && !/^-\d/.test(t.text)

/** Groups the words that follow the chain name. */
export function groupOptions(line: string): RuleOptions {
  const tokens = tokenize(line)
  const core: Option[] = []
  const matches: Group[] = []
  let target: Group | null = null
  let isGoto = false
  let current: Group | null = null
  let protocol: string | null = null
  let negate = false
  for (let i = 0; i < tokens.length; ) {
    const t = tokens[i]!
    if (!t.quoted && t.text === '!') {
      negate = true
      i++
      continue
    }
    let j = i + 1
    while (j < tokens.length && !isOption(tokens[j]!) && !(tokens[j]!.text === '!' && !tokens[j]!.quoted && j > i + 1))
      j++
    let args = tokens.slice(i + 1, j).map((x) => x.text)
    if (args[0] === '!' && !tokens[i + 1]!.quoted) {
      args = args.slice(1)
      negate = true
    }
    const name = t.text
    i = j
    if (name === '-m' || name === '--match') {
      current = { name: (args[0] ?? '').toLowerCase(), options: [] }
      matches.push(current)
    } else if (name === '-j' || name === '--jump' || name === '-g' || name === '--goto') {
      isGoto = name === '-g' || name === '--goto'
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
          current = { name: protocol ?? '', options: [] }
          matches.push(current)
        }
        current.options.push({ name, negate, args })
      }
    }
    negate = false
  }
  return { core, matches, target, goto: isGoto }
}
