/** Whether a rule's port is the one asked for. Named ports are looked up in the destination pod. */
import type { Asked } from './peer.ts'
import type { PolicyPort } from './policy.ts'
import type { PortConsidered, PortMiss } from './result.ts'
import { namedPorts, servicesInFront } from './service-hint.ts'

/** Protocols NetworkPolicy has rules for; what it does to others is not defined. */
export function hasPolicyPorts(protocol: string): boolean {
  return protocol === 'TCP' || protocol === 'UDP' || protocol === 'SCTP'
}

/** The port's verdict with the reason for a miss. */
export function considerPort(port: PolicyPort, index: number, asked: Asked): PortConsidered {
  const no = (miss: PortMiss): PortConsidered => ({ index, matches: 'no', misses: [miss] })
  const unknown = (why: string): PortConsidered => ({ index, matches: 'unknown', misses: [{ kind: 'unknown', why }] })
  if (port.kind === 'opaque') return unknown(port.why)
  if (port.protocol !== asked.protocol) return no({ kind: 'protocol', wanted: port.protocol, actual: asked.protocol })
  const { destination } = asked
  if (destination.kind === 'service') return unknown('the port behind the Service is not known')
  if (port.kind === 'range') {
    if (port.from === 0 && port.to === 65535) return { index, matches: 'yes', misses: [] }
    if (asked.port === null) return unknown('the port was not given')
    if (asked.port >= port.from && asked.port <= port.to) return { index, matches: 'yes', misses: [] }
    const service = servicesInFront(asked).find(({ hint }) => hint.port >= port.from && hint.port <= port.to)?.hint
    return no({ kind: 'number', from: port.from, to: port.to, actual: asked.port, ...(service ? { service } : {}) })
  }
  switch (destination.kind) {
    case 'unknown':
      return unknown(destination.why)
    case 'node':
    case 'address':
      return no({ kind: 'name-without-pod', name: port.name })
    case 'pod': {
      const numbers = namedPorts(destination, port.name, port.protocol)
      if (numbers.length === 0) return no({ kind: 'name-absent', name: port.name, protocol: port.protocol })
      if (asked.port === null) return unknown('the port was not given')
      if (numbers.includes(asked.port)) return { index, matches: 'yes', misses: [] }
      return no({ kind: 'name-other-number', name: port.name, numbers, actual: asked.port })
    }
  }
}
