/** The comparison for a person: losing DNS first, then what observed traffic would be cut, then what changes and why. */
import type { PolicyDiff, PolicyDifference } from '../model/policy-diff.ts'
import type { TextOptions } from './answer-text.ts'
import { clean } from './clean.ts'
import {
  becauseText,
  cutText,
  dnsTexts,
  flowsText,
  listed,
  notesOf,
  outcomeOf,
  portsText,
  verdictText,
} from './policy-diff-words.ts'
import { type Style, styleFor, wrap } from './style.ts'

/** Lines of each part, unless `wide`. */
const SHOWN = 12
/** Changes whose effects are listed in a part. */
const GROUPS = 10

/** The whole comparison, ending in a newline. */
export function policyDiffText(d: PolicyDiff, o: TextOptions): string {
  const s = styleFor(o.colour)
  const width = o.width ?? 80
  const { lost, gained } = d.totals
  const mark = { lost: s.red('✗'), unknown: s.yellow('?'), gained: s.yellow('!'), same: s.green('✓') }[outcomeOf(d)]
  const out = [
    `${mark} ${s.bold(verdictText(d))}`,
    ...wrap(`${clean(d.before)} → ${clean(d.after)}`, width, '  ', '  ').map(s.dim),
  ]
  const dns = d.lost.filter((x) => x.dns)
  if (dns.length > 0) {
    const told = dnsTexts(dns).flatMap(({ text, because }) => [
      wrap(clean(because === '' ? text : `${text}, because ${because}`, 1200), width, '  ', '    '),
    ])
    out.push('', s.bold(s.red('DNS')), ...bounded(told, o, (lines) => lines))
  }
  const cut = d.flows?.cut ?? []
  if (d.flows)
    out.push(
      '',
      s.bold(`Observed flows${d.flows.minutes === null ? '' : ` (${tidy(d.flows.minutes)} minutes)`}`),
      ...(cut.length === 0
        ? [`  none of the ${d.flows.matched} that could be placed would be cut`]
        : bounded(cut, o, (c) => wrap(clean(cutText(c), 600), width, '  ', '    '))),
    )
  const section = (title: string, list: readonly PolicyDifference[], total: number, verb: string) => {
    if (list.length === 0) return
    const more = total > list.length ? ` (${total} in all)` : ''
    out.push('', s.bold(`${title}${more}`), ...group(list, (x) => lineOf(x, verb), o, s))
  }
  const others = d.lost.filter((x) => !x.dns)
  section('Lost', others, lost - dns.length, 'loses')
  section('Gained', d.gained, gained, 'gains')
  if (d.unknown.length > 0) {
    const why = (u: PolicyDiff['unknown'][number]) => u.why.slice(0, 2).join('; ')
    out.push('', s.bold('Not known'), ...group(d.unknown, (x) => lineOf(x, 'may change:'), o, s, why))
  }
  const names = (list: readonly string[]) => clean(listed(list, o.wide ? 1000 : 8), 5000)
  if (d.appeared.length > 0) out.push('', ...wrap(`New workloads: ${names(d.appeared)}`, width, '', '  '))
  if (d.vanished.length > 0) out.push('', ...wrap(`Workloads that are gone: ${names(d.vanished)}`, width, '', '  '))
  const notes = notesOf(d)
  if (notes.length > 0) out.push('', ...notes.flatMap((n) => wrap(clean(n), width, 'Note: ', '      ').map(s.dim)))
  return `${out.join('\n')}\n`
}

const tidy = (n: number) => (n >= 10 ? Math.round(n) : Math.round(n * 10) / 10)

function lineOf(d: PolicyDifference, verb: string): string {
  const flows = flowsText(d)
  const self = d.from === d.to ? ' (between its replicas)' : ''
  return clean(`${d.from} → ${d.to}${self}: ${verb} ${portsText(d)}${flows === '' ? '' : `, ${flows}`}`, 600)
}

/** Differences under the changes that make them. */
function group<T extends PolicyDifference>(
  list: readonly T[],
  line: (d: T) => string,
  o: TextOptions,
  s: Style,
  reason: (d: T) => string = (d) => becauseText(d.because),
): string[] {
  const width = o.width ?? 80
  const groups = new Map<string, T[]>()
  for (const d of list) {
    const why = reason(d)
    const known = groups.get(why)
    if (known) known.push(d)
    else groups.set(why, [d])
  }
  const most = o.wide ? 1000 : GROUPS
  const out = [...groups]
    .slice(0, most)
    .flatMap(([why, members]) => [
      ...wrap(
        why === '' ? 'no single change is known that does it' : `because ${clean(why, 600)}`,
        width,
        '  ',
        '    ',
      ).map(s.dim),
      ...bounded(members, o, (d) => wrap(line(d), width, '    ', '      ')),
    ])
  const rest = [...groups.values()].slice(most)
  if (rest.length > 0)
    out.push(
      `  … and ${rest.reduce((n, g) => n + g.length, 0)} more for ${rest.length} other reasons${o.wide ? '' : ' with -o wide'}`,
    )
  return out
}

function bounded<T>(list: readonly T[], o: TextOptions, lines: (t: T) => readonly string[]): string[] {
  const most = o.wide ? 1000 : SHOWN
  const out = list.slice(0, most).flatMap((t) => [...lines(t)])
  if (list.length > most) out.push(`    … and ${list.length - most} more${o.wide ? '' : ' with -o wide'}`)
  return out
}
