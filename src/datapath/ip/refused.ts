import { formatIp } from '../../base/ip.ts'
import type { DropCause } from '../../model/trace.ts'
import type { Flight } from '../flight.ts'
import { end, netnsLabel, undecided } from '../flight.ts'
import type { RouteAnswer } from '../routing/lookup.ts'
import { routeEvidence, routeText, ruleText } from '../routing/lookup.ts'

const CAUSES: Record<'blackhole' | 'unreachable' | 'prohibit', DropCause> = {
  blackhole: 'route-blackhole',
  unreachable: 'route-unreachable',
  prohibit: 'route-prohibit',
}

/** Ends a flight for which routing found no way. */
export function endUnrouted(flight: Flight, answer: Exclude<RouteAnswer, { kind: 'paths' }>): Flight {
  const dst = formatIp(flight.packet.dst)
  switch (answer.kind) {
    case 'unknown':
      return undecided(flight, 'route', answer.what, answer.cause)
    case 'none':
      return end(flight, 'no-route', 'route', `no route to ${dst} in ${netnsLabel(flight)}`, { cause: 'no-route' })
    case 'refused': {
      const by = answer.route ? routeText(answer.route) : answer.rule ? ruleText(answer.rule) : answer.type
      const text = `the way to ${dst} is closed: ${by}`
      return end(flight, 'no-route', 'route', text, {
        cause: CAUSES[answer.type],
        rule: by,
        evidence: answer.route ? routeEvidence(answer) : answer.rule ? [answer.rule.evidence] : [],
      })
    }
  }
}
