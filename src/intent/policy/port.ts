/** Whether a rule's port is the one asked for. Named ports are looked up in the destination pod. */
import type { Asked } from './peer.ts'
import type { PolicyPort } from './policy.ts'
import type { PortConsidered, PortMiss, Tri } from './result.ts'
import { namedPorts, servicesInFront } from './service-hint.ts'

/** The port's verdict with the reason for a miss. */
export function considerPort(port: PolicyPort, index: number, asked: Asked): PortConsidered {
  const misses: PortMiss[] = []
  const matches = matchPort(port, asked, misses)
  return { index, matches, misses }
}

/** Whether the port is the one asked for; `misses` hears why not, null where nobody asks. */
export function matchPort(port: PolicyPort, asked: Asked, misses: PortMiss[] | null): Tri {
  if (port.kind === 'opaque') return unknown(misses, port.why)
  if (port.kind !== 'named-any' && port.protocol !== asked.protocol) {
    misses?.push({ kind: 'protocol', wanted: port.protocol, actual: asked.protocol })
    return 'no'
  }
  const { destination } = asked
  if (destination.kind === 'service') return unknown(misses, 'the port behind the Service is not known')
  if (port.kind !== 'range') return matchName(port, asked, misses)
  if (port.from === 0 && port.to === 65535) return 'yes'
  if (asked.port === null) return unknown(misses, 'the port was not given')
  if (asked.port >= port.from && asked.port <= port.to) return 'yes'
  if (misses) {
    const service = servicesInFront(asked).find(({ hint }) => hint.port >= port.from && hint.port <= port.to)?.hint
    const { from, to } = port
    misses.push({ kind: 'number', from, to, actual: asked.port, ...(service ? { service } : {}) })
  }
  return 'no'
}

function unknown(misses: PortMiss[] | null, why: string): Tri {
  misses?.push({ kind: 'unknown', why })
  return 'unknown'
}

function matchName(
  port: Extract<PolicyPort, { kind: 'named' | 'named-any' }>,
  asked: Asked,
  misses: PortMiss[] | null,
): Tri {
  const { destination } = asked
  switch (destination.kind) {
    case 'unknown':
      return unknown(misses, destination.why)
    case 'node':
    case 'address':
    case 'service':
      misses?.push({ kind: 'name-without-pod', name: port.name })
      return 'no'
    case 'pod': {
      const protocol = port.kind === 'named' ? port.protocol : asked.protocol
      const numbers = namedPorts(destination, port.name, protocol)
      if (numbers.length === 0) {
        misses?.push({ kind: 'name-absent', name: port.name, protocol })
        return 'no'
      }
      if (asked.port === null) return unknown(misses, 'the port was not given')
      if (numbers.includes(asked.port)) return 'yes'
      misses?.push({ kind: 'name-other-number', name: port.name, numbers, actual: asked.port })
      return 'no'
    }
  }
}
