/** Match extensions by name. One that is not in the table, or an option it does not know, becomes an opaque match. */
import type { Match } from '../../model/ruleset.ts'
import { type Extension, groupText, opaqueMatch, type RuleContext } from './extension.ts'
import { conntrackMatches, stateMatches } from './match-conntrack.ts'
import { headerMatches } from './match-header.ts'
import { metaMatches } from './match-meta.ts'
import { icmpMatches, multiportMatches, portMatches } from './match-transport.ts'
import type { Group } from './options.ts'

/** Whether these match depends on packets we did not see (token buckets, counts of connections or bytes). */
const RATES = new Set(['limit', 'hashlimit', 'connlimit', 'quota', 'connbytes', 'dstlimit', 'quota2'])

const EXTENSIONS: ReadonlyMap<string, Extension> = new Map<string, Extension>([
  ['tcp', portMatches],
  ['udp', portMatches],
  ['sctp', portMatches],
  ['dccp', portMatches],
  ['udplite', portMatches],
  ['icmp', icmpMatches],
  ['icmp6', icmpMatches],
  ['icmpv6', icmpMatches],
  ['ipv6-icmp', icmpMatches],
  ['multiport', multiportMatches],
  ['conntrack', conntrackMatches],
  ['state', stateMatches],
  ...Object.entries(headerMatches),
  ...Object.entries(metaMatches),
])

/** The matches of one `-m NAME …` group, in order; all of them must match. */
export function extensionMatches(group: Group, ctx: RuleContext): Match[] {
  if (RATES.has(group.name)) return [{ kind: 'rate', text: groupText(group) }]
  const extension = EXTENSIONS.get(group.name)
  return extension ? extension(group, ctx) : [opaqueMatch(groupText(group))]
}
