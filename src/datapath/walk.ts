import type { Flight, World } from './flight.ts'
import { end, undecided } from './flight.ts'
import { deliver } from './ip/deliver.ts'
import { forward } from './ip/forward.ts'
import { ipInput, ipRoute } from './ip/input.ts'
import { localOut } from './ip/output.ts'
import { receive } from './link/receive.ts'
import { transmit } from './link/transmit.ts'

/** Stages after which a packet is taken to go round in circles: TTL 64 hops of some six stages each. */
const MAX_AGE = 420
/** Outcomes of one packet that are told apart; a Service of this many endpoints still fits. */
const MAX_FLIGHTS = 20_000

/** Follows a packet and every fork of it to its ends. Iterative: forks wait on a list, nothing recurses. */
export function walk(world: World, start: readonly Flight[]): Flight[] {
  const waiting = [...start]
  const ended: Flight[] = []
  let started = start.length
  for (let flight = waiting.pop(); flight; flight = waiting.pop()) {
    if (flight.stage.kind === 'ended') {
      ended.push(flight)
      continue
    }
    if (flight.age >= MAX_AGE) {
      ended.push(end(flight, 'loop', 'route', 'the packet goes round in circles', { cause: 'loop' }))
      continue
    }
    if (started > MAX_FLIGHTS) {
      ended.push(undecided(flight, 'route', 'too many outcomes to follow', 'unsupported'))
      continue
    }
    const next = advance(world, { ...flight, age: flight.age + 1 })
    started += next.length - 1
    for (let i = next.length - 1; i >= 0; i--) waiting.push(next[i]!)
  }
  return ended
}

function advance(world: World, flight: Flight): Flight[] {
  const { stage } = flight
  switch (stage.kind) {
    case 'output':
      return localOut(world, flight, stage.oif, stage.socket)
    case 'transmit':
      return transmit(world, flight, stage.link, stage.frame, stage.nexthop)
    case 'receive':
      return receive(world, flight, stage.link, stage.frame, stage.host, stage.prerouted)
    case 'ip-input':
      return ipInput(world, flight, stage.link, stage.prerouted)
    case 'ip-route':
      return ipRoute(flight, stage.link)
    case 'forward':
      return forward(world, flight, stage.link, stage.path)
    case 'deliver':
      return deliver(world, flight, stage.link)
    case 'ended':
      return [flight]
  }
}
