import type { Flight } from './flight.ts'
import { innermost, note } from './flight.ts'

/**
 * Reports a bottleneck a small first packet does not meet: the sender makes packets as large as its own link allows (its
 * first route's MTU), and some link further on carries less.
 */
export function withPathMtu(flight: Flight): Flight {
  if (flight.stage.kind !== 'ended' || flight.stage.disposition !== 'delivered' || !flight.mtu || !flight.sendMtu)
    return flight
  const { bytes, where, reported } = flight.mtu
  if (bytes >= flight.sendMtu) return flight
  const fate = reported
    ? 'larger ones are answered with "fragmentation needed", which must get back to the sender'
    : 'larger ones are dropped silently'
  const packet = innermost(flight)
  return {
    ...note(
      flight,
      'route',
      `the path carries packets of ${bytes} bytes at most (${where}), the sender makes up to ${flight.sendMtu}: ${fate}`,
      { cause: 'mtu-exceeded', verdict: packet.length > bytes ? 'drop' : 'continue' },
    ),
    stage: flight.stage,
  }
}
