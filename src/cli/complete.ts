/**
 * Shell completion by the protocol of Cobra, which kubectl speaks with its plugins: `netwhy __complete WORD… PARTIAL` prints one
 * candidate a line, with a description behind a tab, then `:DIRECTIVE` (4: no files; 0: let the shell complete files).
 */
import type { Argument, Command, Option } from 'commander'

const FILES = 0
const NO_FILES = 4

export interface Completion {
  readonly candidates: readonly { readonly word: string; readonly description: string }[]
  readonly directive: number
}

const firstLine = (text: string) => text.split('\n')[0] ?? ''
const visible = (c: Command) => !(c as unknown as { _hidden?: boolean })._hidden

/** Options of this command and of those above it. */
function optionsOf(command: Command): Option[] {
  const out: Option[] = []
  for (let c: Command | null = command; c; c = c.parent) out.push(...c.options.filter((o) => !o.hidden))
  return out
}

const takesValue = (o: Option) => o.required || o.optional
const wantsFile = (text: string) => /file|path|folder/i.test(text)

function valuesOf(of: Option | Argument, partial: string, hint: string): Completion {
  const choices = of.argChoices ?? []
  if (choices.length > 0)
    return {
      candidates: choices.filter((w) => w.startsWith(partial)).map((word) => ({ word, description: '' })),
      directive: NO_FILES,
    }
  return { candidates: [], directive: wantsFile(hint) ? FILES : NO_FILES }
}

/** What could stand at the last of `words`, the one being typed (possibly empty). */
export function complete(program: Command, words: readonly string[]): Completion {
  const partial = words.at(-1) ?? ''
  let command = program
  let pending: Option | undefined
  let positional = 0
  for (const word of words.slice(0, -1)) {
    if (pending) {
      pending = undefined
      continue
    }
    if (word.startsWith('-')) {
      const option = optionsOf(command).find((o) => o.long === word || o.short === word)
      if (option && takesValue(option) && !word.includes('=')) pending = option
      continue
    }
    const sub =
      positional === 0 ? command.commands.find((c) => c.name() === word || c.aliases().includes(word)) : undefined
    if (sub) command = sub
    else positional++
  }
  if (pending) return valuesOf(pending, partial, `${pending.flags} ${pending.description}`)
  if (partial.startsWith('-')) {
    const candidates = optionsOf(command)
      .flatMap((o) =>
        [o.long, o.short]
          .filter((f): f is string => f !== undefined && f !== null)
          .map((word) => ({ word, description: firstLine(o.description) })),
      )
      .filter((c) => c.word.startsWith(partial))
    return { candidates, directive: NO_FILES }
  }
  const subcommands = positional === 0 ? command.commands.filter(visible) : []
  if (subcommands.length > 0) {
    const candidates = subcommands
      .map((c) => ({ word: c.name(), description: firstLine(c.summary() || c.description()) }))
      .filter((c) => c.word.startsWith(partial))
    return { candidates, directive: NO_FILES }
  }
  const args = command.registeredArguments
  const argument = args[Math.min(positional, args.length - 1)]
  return argument && (positional < args.length || argument.variadic)
    ? valuesOf(argument, partial, `${argument.name()} ${argument.description}`)
    : { candidates: [], directive: NO_FILES }
}

export function printCompletion(c: Completion): string {
  const lines = c.candidates.map(({ word, description }) => (description ? `${word}\t${description}` : word))
  return `${[...lines, `:${c.directive}`].join('\n')}\n`
}
