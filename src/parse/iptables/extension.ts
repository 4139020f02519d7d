/** What every extension reader shares: its context, and how to keep what it cannot read. */
import type { Match } from '../../model/ruleset.ts'
import type { Group, Option } from './options.ts'

/** What extensions need to know of their surroundings. */
export interface RuleContext {
  readonly family: 4 | 6
  readonly table: string
  readonly chain: string
  /** Protocol of `-p`, when it is a single one and not negated. */
  readonly protocol: number | null
  /** True when the table has a regular chain of this name. */
  hasChain(name: string): boolean
}

export type Extension = (group: Group, ctx: RuleContext) => Match[]

export const opaqueMatch = (text: string): Match => ({ kind: 'opaque', what: 'match', text })
export const optionText = (o: Option) => `${o.negate ? '! ' : ''}${[o.name, ...o.args].join(' ')}`
export const groupText = (group: Group) => [`-m ${group.name}`, ...group.options.map(optionText)].join(' ')
