/** netwhy's own line of a flow: `{"from": REF, "to": REF, "protocol": "tcp", "port": 80, "count": 12}`, or `rate` for each minute. */
import type { ObservedFlow } from '../model/observed-flow.ts'
import { type Fields, port, text, whole } from './fields.ts'

const MOST = 1e12

/** A flow, a sentence about what is wrong with it, or null when the object is no such line. */
export function readSimple(value: Fields): ObservedFlow | string | null {
  if (!Object.hasOwn(value, 'from') || !Object.hasOwn(value, 'to')) return null
  const from = text(value.from)
  const to = text(value.to)
  if (from === '' || to === '') return 'from and to must be references (pod/NS/NAME, deploy/NS/NAME, an address…)'
  const protocol = value.protocol === undefined ? 'TCP' : text(value.protocol).toUpperCase()
  if (!/^[A-Z][A-Z0-9-]{0,15}$/.test(protocol)) return 'protocol must be tcp, udp or sctp'
  const number = value.port === undefined || value.port === null ? null : port(value.port)
  if (number === null && value.port !== undefined && value.port !== null) return 'port must be a number from 1 to 65535'
  if (number === null && ['TCP', 'UDP', 'SCTP'].includes(protocol)) return 'port is missing'
  const count = value.count === undefined ? 1 : whole(value.count)
  if (count === null || count > MOST) return 'count must be a whole number'
  const { rate } = value
  if (rate !== undefined && !(typeof rate === 'number' && rate >= 0 && rate <= MOST)) return 'rate must be a number'
  const outcome = /^(dropped|denied)$/i.test(text(value.verdict)) ? 'dropped' : 'forwarded'
  return {
    from: { kind: 'reference', text: from },
    to: { kind: 'reference', text: to },
    protocol,
    port: number,
    outcome,
    count,
    ...(typeof rate === 'number' ? { perMinute: rate } : {}),
  }
}
