/** What to do, for a person at a terminal: the advice, where to type, lines that can be copied whole, and what became of the trial. */
import stringWidth from 'string-width'
import type { Remedy, RemedyPlace } from '../model/finding.ts'
import { clean, cleanBlock } from './clean.ts'
import { type Style, wrap } from './style.ts'

/** `On node2:`, `On node2, in the network of pod shop/web-1 (nsenter -t PID -n):`, `With kubectl:`. */
export function placeWords(on: RemedyPlace): string {
  if (on.kubectl) return 'With kubectl:'
  const node = on.node === undefined ? '' : `On ${clean(on.node)}`
  if (on.pod === undefined) return `${node}:`
  const inside = `in the network of pod ${clean(on.pod)} (nsenter -t PID -n):`
  return node === '' ? `In${inside.slice(2)}` : `${node}, ${inside}`
}

/** Words of a shell line, quoted parts kept whole (POSIX sh: '…', "…" and \x). */
function shellWords(line: string): string[] {
  const words = line.match(/(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+/g) ?? []
  // An open quote: leave it alone.
  return words.join('').length === line.replace(/\s/g, '').length + spacesWithin(words) ? words : [line]
}

function spacesWithin(words: readonly string[]): number {
  return words.join('').length - words.join('').replace(/\s/g, '').length
}

/** An option stays with its value: lines are broken before a word that begins with `-` or `!`, while that leaves lines short enough. */
function shellPhrases(line: string): string[] {
  const out: string[] = []
  let open = false
  for (const word of shellWords(line)) {
    const option = /^(-|!$)/.test(word)
    if (open && !option) out.push(`${out.pop() ?? ''} ${word}`)
    else out.push(out.at(-1) === '!' ? `${out.pop()} ${word}` : word)
    open = option && word !== '!'
  }
  return out
}

/**
 * The command in lines of at most `width` columns where that is possible, joined by backslashes so that the shell still
 * reads one line. Quoted text is never cut.
 */
export function commandLines(command: string, width: number): string[] {
  if (stringWidth(command) <= width) return [command]
  const lines: string[] = []
  let line = ''
  for (const word of shellPhrases(command)) {
    const longer = line === '' ? word : `${line} ${word}`
    // Two columns for ` \`.
    if (line.trim() !== '' && stringWidth(longer) + 2 > width) {
      lines.push(`${line} \\`)
      line = `  ${word}`
    } else line = longer
  }
  lines.push(line)
  return lines
}

/** Lines of at most `width` columns, the first beginning with `To do`. */
export function remedyLines(r: Remedy, s: Style, width: number): string[] {
  const lines = wrap(clean(r.text, 900), width, 'To do  ', '       ')
  const commands = r.commands ?? []
  if (commands.length > 0 && r.on) lines.push(...wrap(placeWords(r.on), width, '       ', '       '))
  for (const c of commands) lines.push(...commandLines(clean(c, 2000), width - 9).map((l) => `         ${s.bold(l)}`))
  if (r.manifest)
    lines.push(
      ...cleanBlock(r.manifest.trimEnd())
        .split('\n')
        .map((l) => `         ${l}`),
    )
  if (r.verified) lines.push(`       ${s.green('✓')} tried on the model: it cures this and breaks no other connection`)
  const breaks = r.breaks ?? []
  if (commands.length > 0 && !r.verified && breaks.length === 0) lines.push(s.dim('       not tried on the model'))
  if (breaks.length > 0)
    lines.push(
      ...wrap(
        `${s.yellow('!')} tried on the model: it would break ${breaks.map((b) => clean(b)).join(', ')}`,
        width,
        '       ',
        '         ',
      ),
    )
  return lines
}
